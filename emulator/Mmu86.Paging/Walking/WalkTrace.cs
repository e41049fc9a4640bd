using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Which structure answered a translation.</summary>
public enum TranslationHit : byte
{
    /// <summary>None: the tables were walked, or the address was not canonical.</summary>
    None,

    /// <summary>The first-level TLB of the access's kind.</summary>
    L1,

    /// <summary>The second-level TLB.</summary>
    L2,
}

/// <summary>Why the tables were walked.</summary>
public enum WalkReason : byte
{
    /// <summary>No TLB had the page.</summary>
    Miss,

    /// <summary>A write found an entry whose dirty flag was clear.</summary>
    Dirty,

    /// <summary>A TLB entry denied the access: the tables have the last word.</summary>
    Rights,

    /// <summary>A prefetcher asked.</summary>
    Prefetch,
}

/// <summary>The rights of a translation, all levels combined.</summary>
[Flags]
public enum TranslationRights : byte
{
    None = 0,

    /// <summary>R/W is 1 in every entry.</summary>
    Writable = 1 << 0,

    /// <summary>U/S is 1 in every entry: a user-mode address.</summary>
    User = 1 << 1,

    /// <summary>XD is 0 in every entry.</summary>
    Executable = 1 << 2,

    /// <summary>EPT permits reads; set where EPT is off.</summary>
    EptRead = 1 << 3,

    /// <summary>EPT permits writes; set where EPT is off.</summary>
    EptWrite = 1 << 4,

    /// <summary>EPT permits fetches; set where EPT is off.</summary>
    EptExecute = 1 << 5,

    /// <summary>The dirty flag (with EPT's accessed and dirty flags on, both of them) is known to be 1.</summary>
    Dirty = 1 << 6,
}

/// <summary>One translation, told in full: made by an observed MMU for every access, and by an inspection.</summary>
public sealed record WalkTrace
{
    public required LinearAddress Linear { get; init; }

    public required AccessKind Kind { get; init; }

    public required AccessMode Mode { get; init; }

    /// <summary>Where the translation was found. Of an inspection: where it would be.</summary>
    public required TranslationHit Hit { get; init; }

    /// <summary>Why there was a walk; null where there was none.</summary>
    public required WalkReason? Reason { get; init; }

    /// <summary>The walk, in the order of its steps; empty where a TLB answered.</summary>
    public required IReadOnlyList<WalkReference> References { get; init; }

    /// <summary>The guest's page size; null where the translation failed.</summary>
    public PageSize? GuestPageSize { get; init; }

    /// <summary>The EPT page size; null where EPT is off or the translation failed.</summary>
    public PageSize? HostPageSize { get; init; }

    /// <summary>The size of the first-level entry that answered or was filled (the walk's own where none was); null where the translation failed.</summary>
    public PageSize? EntryPageSize { get; init; }

    /// <summary>Null where it is not known: after a failure, and where a combined TLB entry answered.</summary>
    public GuestPhysicalAddress? GuestPhysical { get; init; }

    /// <summary>Null where the translation failed.</summary>
    public HostPhysicalAddress? HostPhysical { get; init; }

    /// <summary>The memory type of the access; null where the translation failed.</summary>
    public MemoryType? MemoryType { get; init; }

    /// <summary>The rights of all levels combined; null where the translation failed.</summary>
    public TranslationRights? Rights { get; init; }

    /// <summary>Why the translation failed; null where it did not.</summary>
    public TranslationFault? Fault { get; init; }

    /// <summary>How many entries were read from memory.</summary>
    public int MemoryReferences => References.Count(reference => reference.Source == WalkSource.Memory);
}
