using Mmu86.Bench.Peers;

namespace Mmu86.Bench.GuestPaging;

/// <summary>Swap for the whole computer while something is measured: a file, or a compressed disk in memory (zram). Needs root.</summary>
internal sealed class SwapArea : IDisposable
{
    private const string Compressed = "/dev/zram0";
    private const string CompressedControls = "/sys/block/zram0";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly string _path;

    private SwapArea(string path) => _path = path;

    /// <summary>A file.</summary>
    /// <exception cref="IOException">It cannot be used; the message says what the system said.</exception>
    public static SwapArea OnFile(string path, long bytes)
    {
        // Swap wants a file without holes.
        using (FileStream file = new(path, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, PreallocationSize = bytes }))
            file.SetLength(bytes);
        return Start(path);
    }

    /// <summary>zram.</summary>
    /// <exception cref="IOException">There is none, somebody uses it, or it cannot be used.</exception>
    public static SwapArea InMemory(long bytes)
    {
        if (!File.Exists(Path.Combine(CompressedControls, "disksize")))
            throw new IOException($"there is no {Compressed}");
        if (File.ReadAllText(Path.Combine(CompressedControls, "disksize")).Trim() != "0")
            throw new IOException($"{Compressed} is in use");
        File.WriteAllText(Path.Combine(CompressedControls, "disksize"), $"{bytes}");
        return Start(Compressed);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Call("swapoff", _path);
        if (_path == Compressed)
            File.WriteAllText(Path.Combine(CompressedControls, "reset"), "1");
        else
            File.Delete(_path);
    }

    private static SwapArea Start(string path)
    {
        Call("mkswap", path);
        Call("swapon", path);
        return new SwapArea(path);
    }

    private static void Call(string program, string path)
    {
        ChildProcess process = ChildProcess.Run(program, [path], "/", Patience);
        if (process.Status != 0)
            throw new IOException($"{program} {path}: {process.Error.Trim()}");
    }
}
