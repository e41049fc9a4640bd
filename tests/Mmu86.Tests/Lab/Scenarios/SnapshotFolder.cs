namespace Mmu86.Tests.Lab.Scenarios;

/// <summary>A folder for snapshots, gone behind the test.</summary>
internal sealed class SnapshotFolder : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("mmu86-").FullName;

    /// <summary>The path of a file in it.</summary>
    public string File(string name) => Path.Combine(_path, name);

    public void Dispose() => Directory.Delete(_path, recursive: true);
}
