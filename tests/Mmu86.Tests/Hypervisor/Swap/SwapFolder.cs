using Mmu86.Hypervisor.Swap;

namespace Mmu86.Tests.Hypervisor.Swap;

/// <summary>A temporary folder for swap files.</summary>
internal sealed class SwapFolder : IDisposable
{
    private int _files;

    public string Path { get; } = Directory.CreateTempSubdirectory("mmu86-swap-").FullName;

    /// <summary>A file of a name that was not used before.</summary>
    public SwapFileOptions Options(ulong bytes, SwapFileAllocation allocation) => Options($"swap{_files++}", bytes, allocation);

    public SwapFileOptions Options(string name, ulong bytes, SwapFileAllocation allocation) => new()
    {
        Path = System.IO.Path.Combine(Path, name),
        SizeInBytes = bytes,
        Allocation = allocation,
        QueuedWrites = 8,
    };

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
