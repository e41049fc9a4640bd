namespace Mmu86.Lab.Reports;

/// <summary>Memory accesses by kind.</summary>
public sealed record AccessCounts
{
    /// <summary>Loads of retired instructions; each element of a string instruction is one.</summary>
    public required long Loads { get; init; }

    /// <summary>Stores of retired instructions. A read-modify-write is a load and a store.</summary>
    public required long Stores { get; init; }

    /// <summary>Fetch lookups: one for each instruction attempted, a second where it crosses a page.</summary>
    public required long Fetches { get; init; }

    /// <summary>Accesses that crossed a page and so were two lookups.</summary>
    public required long Splits { get; init; }

    /// <summary>Accesses of the processor on its own account: descriptors, TSS, exception stacks.</summary>
    public required long Implicit { get; init; }

    /// <summary>What was counted between two moments.</summary>
    public AccessCounts Since(AccessCounts earlier) => new()
    {
        Loads = Loads - earlier.Loads,
        Stores = Stores - earlier.Stores,
        Fetches = Fetches - earlier.Fetches,
        Splits = Splits - earlier.Splits,
        Implicit = Implicit - earlier.Implicit,
    };
}
