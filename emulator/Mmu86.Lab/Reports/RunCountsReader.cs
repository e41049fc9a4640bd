using Mmu86.Cpu;
using Mmu86.Hypervisor.Shadow;
using Mmu86.Lab.Diagnostics;
using Mmu86.Lab.Machines;
using Mmu86.Paging;
using Mmu86.Timing;

namespace Mmu86.Lab.Reports;

/// <summary>Turns what a virtual CPU and its MMU counted into what a report shows.</summary>
public sealed class RunCountsReader
{
    private readonly MmuDescription _mmu;
    private readonly PagingMode _paging;
    private readonly Fidelity _fidelity;

    /// <summary>Prepares to read the counters of one machine.</summary>
    /// <param name="machine">The machine that was asked for.</param>
    /// <param name="paging">Decides whether EPT has counts.</param>
    /// <param name="fidelity">Decides whether translation hardware and cycles have counts.</param>
    public RunCountsReader(MachineDescription machine, PagingMode paging, Fidelity fidelity)
    {
        _mmu = machine.Mmu;
        _paging = paging;
        _fidelity = fidelity;
    }

    /// <summary>Everything counted so far, in a fidelity other than <c>cycles</c>.</summary>
    /// <param name="cpu">The CPU's counters, exact: between two instructions.</param>
    /// <param name="mmu">The MMU's, by <see cref="IMmu.Snapshot"/> at the same moment.</param>
    public RunCounts Read(CpuCounters cpu, MmuStatistics mmu) => Read(cpu, mmu, null);

    /// <summary>Everything counted so far.</summary>
    /// <param name="cpu">The CPU's counters, exact: between two instructions.</param>
    /// <param name="mmu">The MMU's, by <see cref="IMmu.Snapshot"/> at the same moment.</param>
    /// <param name="timing">What the fidelity <c>cycles</c> counted up to the same moment; null in others.</param>
    public RunCounts Read(CpuCounters cpu, MmuStatistics mmu, TimingStatistics? timing)
    {
        bool isModelled = _fidelity != Fidelity.Fast;
        // Nobody waits for a prefetch.
        WalkStatistics walks = mmu.Walks;
        var work = new TranslationWork(mmu.L2.Hits, walks.Count - walks.Prefetch + walks.Faulted, walks.References - walks.PrefetchReferences + walks.FaultedReferences);
        return new RunCounts
        {
            Instructions = Count(cpu.Instructions),
            RepIterations = Count(cpu.RepIterations),
            Cycles = isModelled ? Count(timing?.Cycles ?? cpu.Instructions + work.Cycles(_mmu.Latencies)) : null,
            Accesses = new AccessCounts
            {
                Loads = Count(cpu.Loads),
                Stores = Count(cpu.Stores),
                Fetches = Count(cpu.FetchLookups),
                Splits = Count(cpu.Splits),
                Implicit = Count(cpu.Implicit),
            },
            Tlb = isModelled ? ReadTlb(mmu) : null,
            Walks = isModelled ? ReadWalks(mmu.Walks, Count(timing?.WalkCycles ?? work.WalkCycles(_mmu.Latencies)), timing) : null,
            Caches = timing is null ? null : ReadCaches(timing),
            Faults = new FaultCounts
            {
                PageFaults = Count(cpu.PageFaults),
                EptViolations = HasEpt ? Count(mmu.Faults.EptViolations) : null,
                EptMisconfigurations = HasEpt ? Count(mmu.Faults.EptMisconfigurations) : null,
                NestedPageFaults = _paging == PagingMode.Nested && !HasEpt ? Count(mmu.Faults.NestedPageFaults) : null,
            },
        };
    }

    /// <summary>The same with shadow paging, whose exits take cycles.</summary>
    /// <param name="counts">What <see cref="Read(CpuCounters, MmuStatistics, TimingStatistics?)"/> gave for the same moment.</param>
    /// <param name="shadow">What the hypervisor did.</param>
    public RunCounts WithShadow(RunCounts counts, ShadowPaging shadow)
    {
        ShadowCounts done = shadow.Counts;
        long? cycles = counts.Cycles is null ? null : Count(ShadowPagingCounts.CyclesOf(done));
        return counts with
        {
            Cycles = counts.Cycles + cycles,
            Shadow = new ShadowPagingCounts
            {
                Exits = new ShadowExitCounts
                {
                    CrWrites = Count(done.ControlRegisterWrites),
                    CrReads = Count(done.ControlRegisterReads),
                    MsrWrites = Count(done.MsrWrites),
                    Invlpg = Count(done.Invalidations),
                    HiddenPageFaults = Count(done.HiddenPageFaults),
                    InjectedPageFaults = Count(done.InjectedPageFaults),
                    WriteProtectFaults = Count(done.WriteProtectFaults),
                    SingleSteps = Count(done.SingleSteps),
                },
                ExitCount = Count(done.Exits),
                Fills = Count(done.Fills),
                EntriesCompared = Count(done.EntriesCompared),
                EntriesDropped = Count(done.EntriesDropped),
                RootsDropped = Count(done.SpacesDropped),
                ShadowTableFrames = shadow.TableFrames,
                Cycles = cycles,
            },
        };
    }

    private bool HasEpt => _paging == PagingMode.Nested && _mmu.Nested.Format == NestedFormat.Ept;

    private TlbCounts ReadTlb(MmuStatistics mmu)
    {
        TlbArrayConfiguration[] second = [.. _mmu.L2.Arrays, .. _mmu.L2Instruction?.Arrays ?? []];
        TlbArrayConfiguration[] arrays = [.. _mmu.L1Instruction.Arrays, .. _mmu.L1Data.Arrays, .. second];
        OrderedDictionary<string, LookupCounts> structures = [];
        foreach (TlbStatistics array in mmu.Structures)
            structures.Add(array.Name, ReadLookups(array, arrays.Where(configuration => configuration.Name == array.Name)));
        return new TlbCounts
        {
            L1i = ReadLookups(mmu.L1Instruction, _mmu.L1Instruction.Arrays),
            L1d = ReadLookups(mmu.L1Data, _mmu.L1Data.Arrays),
            L2 = ReadLookups(mmu.L2, second),
            Structures = structures,
        };
    }

    private static LookupCounts ReadLookups(TlbStatistics tlb, IEnumerable<TlbArrayConfiguration> arrays)
    {
        // Coalesced entries are of small pages.
        HashSet<string> held = [.. arrays.SelectMany(array => array.CoalescedPages is null ? array.PageSizes : [.. array.PageSizes, "4k"])];
        return new LookupCounts
        {
            Lookups = Count(tlb.Lookups),
            Hits = Count(tlb.Hits),
            Misses = Count(tlb.Misses),
            Fills = Count(tlb.Fills),
            Evictions = Count(tlb.Evictions),
            Invalidations = Count(tlb.Invalidations),
            Unresolved = Count(tlb.Unresolved),
            BySize = new PageSizeCounts
            {
                Size4K = ReadSize(tlb.Size4K, held.Contains("4k")),
                Size2M = ReadSize(tlb.Size2M, held.Contains("2m")),
                Size1G = ReadSize(tlb.Size1G, held.Contains("1g")),
            },
        };
    }

    // Misses of a size that is not held exist too: walks that filled nothing.
    private static SizeCounts? ReadSize(PageSizeStatistics size, bool isHeld) => !isHeld && size == default ? null : new SizeCounts
    {
        Lookups = Count(size.Lookups),
        Hits = Count(size.Hits),
        Misses = Count(size.Misses),
        Fills = Count(size.Fills),
        Evictions = Count(size.Evictions),
        Invalidations = Count(size.Invalidations),
    };

    private WalkCounts ReadWalks(WalkStatistics walks, long cycles, TimingStatistics? timing) => new()
    {
        Count = Count(walks.Count),
        References = Count(walks.References),
        GuestReferences = Count(walks.GuestReferences),
        EptReferences = Count(walks.EptReferences),
        Cycles = cycles,
        ReferenceHits = timing is null ? null : ReadReferenceHits(timing),
        Faulted = Count(walks.Faulted),
        FaultedReferences = Count(walks.FaultedReferences),
        AdUpdates = Count(walks.FlagUpdates),
        ByReason = new WalkReasonCounts
        {
            Miss = Count(walks.Miss),
            Dirty = Count(walks.Dirty),
            Rights = Count(walks.Rights),
            Prefetch = Count(walks.Prefetch),
        },
        StructureCaches = new StructureCacheCounts
        {
            Pml5e = ReadCache(walks, "pml5e"),
            Pml4e = ReadCache(walks, "pml4e"),
            Pdpte = ReadCache(walks, "pdpte"),
            Pde = ReadCache(walks, "pde"),
            EptPml4e = ReadEptCache(walks, "eptPml4e"),
            EptPdpte = ReadEptCache(walks, "eptPdpte"),
            EptPde = ReadEptCache(walks, "eptPde"),
            NestedTlb = ReadEptCache(walks, "nestedTlb"),
        },
    };

    private static OrderedDictionary<string, long> ReadReferenceHits(TimingStatistics timing)
    {
        OrderedDictionary<string, long> hits = [];
        foreach (MemoryLevel level in Enum.GetValues<MemoryLevel>())
        {
            if (level == MemoryLevel.Memory || timing.Caches.Any(cache => cache.Name == TranslationWords.Key(level)))
                hits.Add(TranslationWords.Key(level), Count(timing.ReferenceHits[(int)level]));
        }

        return hits;
    }

    private static OrderedDictionary<string, CacheCounts> ReadCaches(TimingStatistics timing)
    {
        OrderedDictionary<string, CacheCounts> caches = [];
        foreach (CacheStatistics cache in timing.Caches)
        {
            caches.Add(cache.Name, new CacheCounts
            {
                References = Count(cache.References),
                Hits = Count(cache.Hits),
                Misses = Count(cache.References - cache.Hits),
                WalkReferences = Count(cache.WalkReferences),
                WalkHits = Count(cache.WalkHits),
            });
        }

        return caches;
    }

    private HitCounts? ReadEptCache(WalkStatistics walks, string name) => _paging == PagingMode.Nested ? ReadCache(walks, name) : null;

    private static HitCounts? ReadCache(WalkStatistics walks, string name)
    {
        StructureCacheStatistics cache = walks.StructureCaches.Single(cache => cache.Name == name);
        return cache.Exists ? new HitCounts { Hits = Count(cache.Hits), Misses = Count(cache.Misses) } : null;
    }

    private static long Count(ulong value) => checked((long)value);
}
