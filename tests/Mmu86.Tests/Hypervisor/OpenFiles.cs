namespace Mmu86.Tests.Hypervisor;

/// <summary>A folder of its own, and which files in it this process has open, whether they have a name or not.</summary>
internal sealed class OpenFiles : IDisposable
{
    /// <summary>The folder.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("mmu86-").FullName;

    /// <summary>How many are open.</summary>
    public int Count => Open.Count();

    /// <summary>How long they are together.</summary>
    public long Bytes => Open.Sum(link =>
    {
        // By the link, which leads to the file even where its name is gone.
        using var file = new FileStream(link.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return file.Length;
    });

    private IEnumerable<FileSystemInfo> Open => new DirectoryInfo("/proc/self/fd").GetFileSystemInfos()
        .Where(link => link.LinkTarget?.StartsWith(Folder + "/", StringComparison.Ordinal) == true);

    /// <summary>The names in the folder.</summary>
    public string[] Names => [.. Directory.GetFileSystemEntries(Folder).Select(path => Path.GetFileName(path)!)];

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
