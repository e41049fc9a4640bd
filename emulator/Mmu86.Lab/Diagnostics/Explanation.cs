using Mmu86.Paging;

namespace Mmu86.Lab.Diagnostics;

/// <summary>One translation at one moment of a run.</summary>
public sealed record Explanation
{
    /// <summary>The instruction about to run.</summary>
    public required InstructionText Instruction { get; init; }

    /// <summary>The symbol that the instruction belongs to, with the distance from it. Null where there is none.</summary>
    public required string? Place { get; init; }

    /// <summary>The address that was asked for, as it was written.</summary>
    public required string Expression { get; init; }

    /// <summary>The context in force.</summary>
    public required PagingContext Context { get; init; }

    /// <summary>What the access would do. Told without leaving a trace.</summary>
    public required WalkTrace Trace { get; init; }

    /// <summary>What the tables say where a TLB answers and none of them is read; null where they are walked.</summary>
    public required WalkTrace? Tables { get; init; }
}
