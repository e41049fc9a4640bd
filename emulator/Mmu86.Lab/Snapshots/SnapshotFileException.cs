using Mmu86.Hypervisor.Snapshots;

namespace Mmu86.Lab.Snapshots;

/// <summary>The file of a snapshot cannot be written or read. What was there before is there still.</summary>
public sealed class SnapshotFileException : Exception
{
    private SnapshotFileException(string message, FileAccess access, Exception reason)
        : base(message, reason) => Access = access;

    /// <summary>What was tried; both where the file was read, and what is in it could not be written elsewhere.</summary>
    public FileAccess Access { get; }

    /// <summary>Does something with a file, and says which where it fails.</summary>
    /// <param name="access">Reading or writing.</param>
    /// <param name="path">The file.</param>
    /// <param name="action">What is done.</param>
    internal static T Translate<T>(FileAccess access, string path, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (RestoredPageException exception)
        {
            throw new SnapshotFileException($"{path} cannot be restored: {exception.Message}", FileAccess.ReadWrite, exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            string why = exception is FileNotFoundException or DirectoryNotFoundException ? "there is none" : exception.Message;
            throw new SnapshotFileException($"{path} cannot be {(access == FileAccess.Write ? "written" : "read")}: {why}", access, exception);
        }
    }
}
