namespace Mmu86.Hypervisor.Swap;

/// <summary>What a swap device does.</summary>
public enum SwapOperation
{
    /// <summary>Reads.</summary>
    Read,

    /// <summary>Writes.</summary>
    Write,
}
