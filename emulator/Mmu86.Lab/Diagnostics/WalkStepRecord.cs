namespace Mmu86.Lab.Diagnostics;

/// <summary>One step of a walk.</summary>
public sealed record WalkStepRecord
{
    /// <summary><c>guest</c>, <c>ept</c>, or <c>npt</c> on machines with AMD's nested paging.</summary>
    public required string Dim { get; init; }

    /// <summary>4 for a PML4 entry down to 1 for a PTE.</summary>
    public required int Level { get; init; }

    /// <summary>The host-physical address of the entry. Null where a cache does not keep it.</summary>
    public string? Entry { get; init; }

    /// <summary>The guest-physical address of the entry, for guest entries under nested paging.</summary>
    public string? GuestEntry { get; init; }

    /// <summary>The memory type of the memory that holds the entry, where it is known.</summary>
    public string? MemoryType { get; init; }

    /// <summary>The entry as it was read.</summary>
    public required string Before { get; init; }

    /// <summary>The entry after accessed and dirty were set.</summary>
    public required string After { get; init; }

    /// <summary><c>memory</c>, or the cache that answered.</summary>
    public required string Source { get; init; }

    /// <summary>Where in the caches of memory the entry was found: <c>l1d</c>, <c>l2</c>, <c>l3</c> or <c>memory</c>. Null where none are modelled.</summary>
    public string? FoundIn { get; init; }

    /// <summary>What it cost at the machine's prices.</summary>
    public required int Cycles { get; init; }
}
