namespace Mmu86.Bench.GuestPaging;

/// <summary>Where a host puts what it takes from a guest.</summary>
internal enum HostSwapKind
{
    /// <summary>A swap file.</summary>
    File,

    /// <summary>Memory, compressed: zram, and Mmu86's compressed pool.</summary>
    Compressed,
}
