namespace Mmu86.Tests.Hypervisor;

/// <summary>A folder of its own, and which files in it this process has open, whether they have a name or not.</summary>
internal sealed class OpenFiles : IDisposable
{
    /// <summary>The folder.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("mmu86-").FullName;

    /// <summary>How many are open.</summary>
    public int Count => new DirectoryInfo("/proc/self/fd").GetFileSystemInfos()
        .Count(link => link.LinkTarget?.StartsWith(Folder + "/", StringComparison.Ordinal) == true);

    /// <summary>The names in the folder.</summary>
    public string[] Names => [.. Directory.GetFileSystemEntries(Folder).Select(path => Path.GetFileName(path)!)];

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
