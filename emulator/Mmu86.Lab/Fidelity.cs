namespace Mmu86.Lab;

/// <summary>How much of the processor is modelled. What a guest computes is the same in each.</summary>
public enum Fidelity
{
    /// <summary>Architecture only: the machine's translation hardware is ignored and not reported.</summary>
    Fast,

    /// <summary>Exact TLBs and paging-structure caches; cycles are instructions plus penalties of misses.</summary>
    Tlb,

    /// <summary>Data caches too. Not supported yet.</summary>
    Cycles,
}
