using Mmu86.Lab.Machines;
using Mmu86.Lab.Sweeps;

namespace Mmu86.Lab.Reports;

/// <summary>The report of one run, schema <c>mmu86.run/1</c>. What is unknown or was not modelled is null and absent from the JSON.</summary>
public sealed record RunReport
{
    /// <summary>The schema's name.</summary>
    public const string SchemaName = "mmu86.run/1";

    /// <summary>The schema of this document.</summary>
    public string Schema { get; init; } = SchemaName;

    /// <summary>The version of Mmu86.</summary>
    public required string Version { get; init; }

    /// <summary>What was run.</summary>
    public required ProgramReport Program { get; init; }

    /// <summary>The machine after all overrides.</summary>
    public required MachineDescription Machine { get; init; }

    /// <summary>What lay below the guest's page tables.</summary>
    public required PagingMode Paging { get; init; }

    /// <summary>How much was modelled.</summary>
    public required Fidelity Fidelity { get; init; }

    /// <summary>Page size of the loader's guest tables: <c>4k</c>, <c>2m</c> or <c>1g</c>.</summary>
    public required string GuestPage { get; init; }

    /// <summary>Page size of guest-physical memory in the host. Null with native paging.</summary>
    public string? HostPage { get; init; }

    /// <summary>Guest-physical memory in bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>The source of randomness.</summary>
    public required ulong Seed { get; init; }

    /// <summary>How it ended.</summary>
    public required ExitReport Exit { get; init; }

    /// <summary>Retired instructions; a REP string instruction is one.</summary>
    public required long Instructions { get; init; }

    /// <summary>Elements of REP string instructions.</summary>
    public required long RepIterations { get; init; }

    /// <summary>Modelled cycles.</summary>
    public long? Cycles { get; init; }

    /// <summary>Memory accesses.</summary>
    public required AccessCounts Accesses { get; init; }

    /// <summary>TLBs.</summary>
    public TlbCounts? Tlb { get; init; }

    /// <summary>Walks.</summary>
    public WalkCounts? Walks { get; init; }

    /// <summary>Caches of memory by name.</summary>
    public IReadOnlyDictionary<string, CacheCounts>? Caches { get; init; }

    /// <summary>Faults and VM exits.</summary>
    public required FaultCounts Faults { get; init; }

    /// <summary>What shadow tables took. Null without them.</summary>
    public ShadowPagingCounts? Shadow { get; init; }

    /// <summary>Misses of the first-level data TLB by class, those that ended in a fault left out. Null where nobody asked, or there is none.</summary>
    public MissClassCounts? MissClasses { get; init; }

    /// <summary>Frames.</summary>
    public MemoryReport? Memory { get; init; }

    /// <summary>Requests that nobody answered.</summary>
    public UnsupportedCounts? Unsupported { get; init; }

    /// <summary>What devices know at the end.</summary>
    public DevicesReport? Devices { get; init; }

    /// <summary>The part between the markers. Null without them.</summary>
    public RunCounts? Measured { get; init; }

    /// <summary>What it cost the host.</summary>
    public HostReport? Host { get; init; }

    /// <summary>The counts of the whole run as one value.</summary>
    /// <returns>The same numbers that the members of this report carry.</returns>
    public RunCounts ToCounts() => new()
    {
        Instructions = Instructions,
        RepIterations = RepIterations,
        Cycles = Cycles,
        Accesses = Accesses,
        Tlb = Tlb,
        Walks = Walks,
        Caches = Caches,
        Faults = Faults,
        Shadow = Shadow,
    };
}
