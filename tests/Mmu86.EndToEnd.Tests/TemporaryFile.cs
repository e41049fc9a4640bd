namespace Mmu86.EndToEnd.Tests;

/// <summary>A file that is deleted at the end of a test.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile(string text)
        : this() => File.WriteAllText(Path, text);

    public TemporaryFile(byte[] bytes)
        : this() => File.WriteAllBytes(Path, bytes);

    public TemporaryFile() => Path = System.IO.Path.GetTempFileName();

    public string Path { get; }

    public void Dispose() => File.Delete(Path);
}
