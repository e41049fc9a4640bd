using Mmu86.Memory;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>A snapshot as a file. It is written beside its place and takes it when every byte is on the disk: whoever dies before leaves the old one.</summary>
public static class SnapshotFile
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Writes a file in place of what is there.</summary>
    /// <param name="path">The file. What is written beside it begins with a dot and ends in <c>.partial</c>.</param>
    /// <param name="write">Writes everything but the end.</param>
    /// <exception cref="IOException">It cannot be written. What was there is there still.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static void Write(string path, Action<SnapshotWriter> write)
    {
        string place = Place(path);
        string beside = Beside(place);
        try
        {
            using (var stream = new FileStream(beside, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferBytes))
            {
                var writer = new SnapshotWriter(stream);
                write(writer);
                writer.Complete();
                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, place, overwrite: true);
        }
        catch
        {
            File.Delete(beside);
            throw;
        }
    }

    /// <summary>Finds out whether a file can be written, and leaves no trace.</summary>
    /// <exception cref="IOException">It cannot.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static void RequireWritable(string path)
    {
        string beside = Beside(Place(path));
        new FileStream(beside, FileMode.CreateNew, FileAccess.Write).Dispose();
        File.Delete(beside);
    }

    private static string Place(string path)
    {
        string place = Path.GetFullPath(path);
        return Directory.Exists(place) ? throw new IOException($"{path} is a folder") : place;
    }

    private static string Beside(string place) => Path.Combine(Path.GetDirectoryName(place)!, $".mmu86-{Environment.ProcessId}-{Guid.NewGuid():n}.partial");

    /// <summary>Reads a file.</summary>
    /// <exception cref="StateFormatException">It is damaged, or no snapshot of this version.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    public static T Read<T>(string path, Func<SnapshotReader, T> read)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, BufferBytes);
        return read(new SnapshotReader(stream));
    }
}
