namespace Mmu86.Lab.Reports;

/// <summary>How a run ended.</summary>
public enum ExitKind
{
    /// <summary>The guest ended itself, with a status.</summary>
    Exited,

    /// <summary>An unhandled fault or a triple fault.</summary>
    Fault,

    /// <summary>HLT with interrupts off and nothing pending.</summary>
    Halted,

    /// <summary>A limit was reached, or the run was interrupted from outside.</summary>
    Limit,
}
