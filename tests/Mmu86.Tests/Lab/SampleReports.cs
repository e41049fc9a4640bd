using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;

namespace Mmu86.Tests.Lab;

/// <summary>Reports whose numbers are multiples of one factor, so that differences are easy to predict.</summary>
internal static class SampleReports
{
    public static RunReport Modelled() => new()
    {
        Version = "0.1.0",
        Program = new ProgramReport { Name = "stride", Sha256 = new string('a', 64), Arguments = ["16"] },
        Machine = MachineCatalogue.Preset("skylake"),
        Paging = PagingMode.Nested,
        Fidelity = Fidelity.Tlb,
        GuestPage = "4k",
        HostPage = "2m",
        MemoryBytes = 1L << 30,
        Seed = 1,
        Exit = new ExitReport { Kind = ExitKind.Exited, Status = 0 },
        Instructions = 10_000,
        RepIterations = 30,
        Cycles = 20_000,
        Accesses = Counts(10).Accesses,
        Tlb = Counts(10).Tlb,
        Walks = Counts(10).Walks,
        Faults = Counts(10).Faults,
        Memory = new MemoryReport { GuestFramesTouched = 12, HostFramesUsed = 34 },
        Measured = Counts(4),
        Host = HostReport.From(10_000, TimeSpan.FromMilliseconds(2), TimeSpan.FromMilliseconds(3)),
    };

    public static RunReport Fast() => Modelled() with
    {
        Fidelity = Fidelity.Fast,
        Cycles = null,
        Tlb = null,
        Walks = null,
        Measured = null,
    };

    public static RunCounts Counts(long factor) => new()
    {
        Instructions = 1000 * factor,
        RepIterations = 3 * factor,
        Cycles = 2000 * factor,
        Accesses = new AccessCounts { Loads = 400 * factor, Stores = 200 * factor, Fetches = 1001 * factor, Splits = 5 * factor, Implicit = 7 * factor },
        Tlb = new TlbCounts
        {
            L1i = Lookups(10 * factor),
            L1d = Lookups(20 * factor),
            L2 = Lookups(30 * factor),
            Structures = new OrderedDictionary<string, LookupCounts> { ["l1d-4k"] = Lookups(40 * factor), ["l1d-2m"] = Lookups(50 * factor) },
        },
        Walks = new WalkCounts
        {
            Count = 11 * factor,
            References = 24 * factor,
            GuestReferences = 4 * factor,
            EptReferences = 20 * factor,
            Cycles = 120 * factor,
            Faulted = 2 * factor,
            FaultedReferences = 6 * factor,
            AdUpdates = 8 * factor,
            ByReason = new WalkReasonCounts { Miss = 9 * factor, Dirty = factor, Rights = factor, Prefetch = 0 },
            StructureCaches = new StructureCacheCounts
            {
                Pde = new HitCounts { Hits = 7 * factor, Misses = 4 * factor },
                NestedTlb = new HitCounts { Hits = 6 * factor, Misses = 5 * factor },
            },
        },
        Faults = new FaultCounts { PageFaults = 2 * factor, EptViolations = 3 * factor, EptMisconfigurations = 0 },
    };

    private static LookupCounts Lookups(long factor) => new()
    {
        Lookups = 9 * factor,
        Hits = 7 * factor,
        Misses = 2 * factor,
        Fills = 2 * factor,
        Evictions = factor,
        Invalidations = factor,
        Unresolved = factor,
        BySize = new PageSizeCounts
        {
            Size4K = new SizeCounts { Lookups = 8 * factor, Hits = 7 * factor, Misses = factor, Fills = factor, Evictions = factor, Invalidations = factor },
        },
    };
}
