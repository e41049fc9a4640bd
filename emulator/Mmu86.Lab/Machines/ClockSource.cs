namespace Mmu86.Lab.Machines;

/// <summary>What the guest's clock counts.</summary>
public enum ClockSource
{
    /// <summary>Retired instructions plus elements of REP string instructions: the same in every fidelity.</summary>
    Instructions,

    /// <summary>Modelled cycles. Not supported yet.</summary>
    Cycles,
}
