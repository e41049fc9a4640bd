using Mmu86.Hypervisor.Swap;

namespace Mmu86.Tests.Hypervisor.Swap;

/// <summary>A temporary folder for swap files.</summary>
internal sealed class SwapFolder : IDisposable
{
    private int _files;

    public SwapFolder()
        : this(System.IO.Path.GetTempPath())
    {
    }

    /// <summary>A temporary folder inside another.</summary>
    public SwapFolder(string parent) => Path = Directory.CreateDirectory(System.IO.Path.Combine(parent, $"mmu86-swap-{Guid.NewGuid():n}")).FullName;

    public string Path { get; }

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
