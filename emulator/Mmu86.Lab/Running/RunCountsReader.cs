using Mmu86.Cpu;
using Mmu86.Lab.Reports;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Running;

/// <summary>Turns what CPU and MMU counted into the counts of a report.</summary>
internal static class RunCountsReader
{
    /// <summary>Everything counted up to now. Only between runs of the CPU.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="fidelity">With <c>fast</c>, what was not modelled is absent.</param>
    /// <param name="latencies">What misses cost.</param>
    public static RunCounts Read(Vcpu vcpu, Fidelity fidelity, TranslationLatencies latencies)
    {
        CpuCounters cpu = vcpu.Counters;
        bool modelled = fidelity != Fidelity.Fast;
        MmuStatistics mmu = vcpu.Statistics;
        WalkCounts walks = Walks(mmu.Walks, latencies);
        bool nested = vcpu.Mmu.Context.IsNested;
        return new RunCounts
        {
            Instructions = (long)cpu.Instructions,
            RepIterations = (long)cpu.RepIterations,
            Cycles = modelled ? (long)cpu.Instructions + ((long)mmu.L2.Hits * latencies.L2HitCycles) + walks.Cycles : null,
            Accesses = new AccessCounts
            {
                Loads = (long)cpu.Loads,
                Stores = (long)cpu.Stores,
                Fetches = (long)cpu.FetchLookups,
                Splits = (long)cpu.Splits,
                Implicit = (long)cpu.Implicit,
            },
            Tlb = modelled ? Tlb(mmu) : null,
            Walks = modelled ? walks : null,
            Faults = new FaultCounts
            {
                PageFaults = (long)cpu.PageFaults,
                EptViolations = nested ? (long)mmu.Faults.EptViolations : null,
                EptMisconfigurations = nested ? (long)mmu.Faults.EptMisconfigurations : null,
            },
        };
    }

    private static TlbCounts Tlb(MmuStatistics mmu)
    {
        OrderedDictionary<string, LookupCounts> structures = [];
        foreach (TlbStatistics array in mmu.Structures)
            structures.Add(array.Name, Lookups(array));
        return new TlbCounts
        {
            L1i = Level(mmu.L1Instruction),
            L1d = Level(mmu.L1Data),
            L2 = Level(mmu.L2),
            Structures = structures,
        };
    }

    // A level that the machine does not have is absent.
    private static LookupCounts? Level(TlbStatistics level) => level.Exists ? Lookups(level) : null;

    private static LookupCounts Lookups(TlbStatistics tlb) => new()
    {
        Lookups = (long)tlb.Lookups,
        Hits = (long)tlb.Hits,
        Misses = (long)tlb.Misses,
        Fills = (long)tlb.Fills,
        Evictions = (long)tlb.Evictions,
        Invalidations = (long)tlb.Invalidations,
        Unresolved = (long)tlb.Unresolved,
        BySize = new PageSizeCounts
        {
            Size4K = Size(tlb[PageSize.Size4K]),
            Size2M = Size(tlb[PageSize.Size2M]),
            Size1G = Size(tlb[PageSize.Size1G]),
        },
    };

    private static SizeCounts Size(PageSizeStatistics size) => new()
    {
        Lookups = (long)size.Lookups,
        Hits = (long)size.Hits,
        Misses = (long)size.Misses,
        Fills = (long)size.Fills,
        Evictions = (long)size.Evictions,
        Invalidations = (long)size.Invalidations,
    };

    private static WalkCounts Walks(WalkStatistics walks, TranslationLatencies latencies) => new()
    {
        Count = (long)walks.Count,
        References = (long)walks.References,
        GuestReferences = (long)walks.GuestReferences,
        EptReferences = (long)walks.EptReferences,
        Cycles = ((long)(walks.Count + walks.Faulted) * latencies.WalkStartCycles)
            + ((long)(walks.References + walks.FaultedReferences) * latencies.WalkReferenceCycles),
        Faulted = (long)walks.Faulted,
        FaultedReferences = (long)walks.FaultedReferences,
        AdUpdates = (long)walks.FlagUpdates,
        ByReason = new WalkReasonCounts
        {
            Miss = (long)walks.Miss,
            Dirty = (long)walks.Dirty,
            Rights = (long)walks.Rights,
            Prefetch = (long)walks.Prefetch,
        },
        StructureCaches = new StructureCacheCounts
        {
            Pml4e = Cache(walks, "pml4e"),
            Pdpte = Cache(walks, "pdpte"),
            Pde = Cache(walks, "pde"),
            EptPml4e = Cache(walks, "eptPml4e"),
            EptPdpte = Cache(walks, "eptPdpte"),
            EptPde = Cache(walks, "eptPde"),
            NestedTlb = Cache(walks, "nestedTlb"),
        },
    };

    private static HitCounts? Cache(WalkStatistics walks, string name)
    {
        StructureCacheStatistics cache = walks.StructureCaches.Single(cache => cache.Name == name);
        return cache.Exists ? new HitCounts { Hits = (long)cache.Hits, Misses = (long)cache.Misses } : null;
    }
}
