namespace Mmu86.Lab.Machines;

/// <summary>What the guest's clock counts.</summary>
public enum ClockSource
{
    /// <summary>Retired instructions plus elements of REP string instructions: the same in every fidelity.</summary>
    Instructions,

    /// <summary>Modelled cycles, of the fidelities <c>tlb</c> and <c>cycles</c>: what the guest sees depends on the fidelity.</summary>
    Cycles,
}
