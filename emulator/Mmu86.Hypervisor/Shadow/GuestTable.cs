using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>A frame of the guest that is a paging table, as far as shadow tables depend on it.</summary>
/// <param name="frame">Which frame.</param>
internal sealed class GuestTable(GuestFrameNumber frame)
{
    /// <summary>Which frame.</summary>
    public GuestFrameNumber Frame { get; } = frame;

    /// <summary>Whether no shadow entry lets the guest write to it: then a write is noticed.</summary>
    public bool IsProtected { get; set; }

    /// <summary>The shadow tables that depend on it.</summary>
    public List<ShadowTable> Users { get; } = [];
}
