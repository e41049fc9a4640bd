namespace Mmu86.Hypervisor.Swap;

/// <summary>When a swap file takes room on its file system.</summary>
public enum SwapFileAllocation
{
    /// <summary>All of it when it is made, as a partition would: later writes find room.</summary>
    Preallocated,

    /// <summary>As it is written: it may meet a full file system.</summary>
    Growing,
}
