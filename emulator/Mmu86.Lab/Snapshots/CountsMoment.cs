using Mmu86.Cpu;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.Timing;

namespace Mmu86.Lab.Snapshots;

/// <summary>Everything that a machine had counted at a moment, as it counted it.</summary>
/// <param name="Cpu">The CPU's counters, which later counting does not change.</param>
/// <param name="Mmu">The MMU's.</param>
/// <param name="Timing">Those of the fidelity <c>cycles</c>; null in others.</param>
internal sealed record CountsMoment(CpuCounters Cpu, MmuStatistics Mmu, TimingStatistics? Timing)
{
    private const int MostStructures = 1024;
    private const int MostNameBytes = 256;
    private const int MostLevels = 16;

    /// <summary>The moment at which a machine stands.</summary>
    public static CountsMoment Of(GuestMachine machine) => new(machine.Vcpu.Counters.Clone(), machine.Vcpu.Statistics, machine.Timing?.Statistics);

    /// <summary>What a report shows of it.</summary>
    public RunCounts Read(RunCountsReader reader) => reader.Read(Cpu, Mmu, Timing);

    /// <summary>Writes it.</summary>
    public void Save(StateWriter writer)
    {
        Cpu.Save(writer);
        Save(writer, Mmu.L1Instruction);
        Save(writer, Mmu.L1Data);
        Save(writer, Mmu.L2);
        writer.Write(Mmu.Structures.Count);
        foreach (TlbStatistics structure in Mmu.Structures)
            Save(writer, structure);
        WalkStatistics walks = Mmu.Walks;
        writer.WriteArray<ulong>([
            walks.Miss, walks.Dirty, walks.Rights, walks.Prefetch, walks.PrefetchReferences, walks.GuestReferences, walks.EptReferences,
            walks.Faulted, walks.FaultedReferences, walks.FlagUpdates,
            Mmu.Faults.PageFaults, Mmu.Faults.EptViolations, Mmu.Faults.EptMisconfigurations, Mmu.Faults.NestedPageFaults]);
        writer.Write(walks.StructureCaches.Count);
        foreach (StructureCacheStatistics cache in walks.StructureCaches)
        {
            writer.Write(cache.Name);
            writer.Write(cache.Exists);
            writer.Write(cache.Hits);
            writer.Write(cache.Misses);
        }

        writer.Write(Timing is not null);
        if (Timing is { } timing)
            Save(writer, timing);
    }

    /// <summary>Reads it.</summary>
    public static CountsMoment Load(StateReader reader)
    {
        var cpu = new CpuCounters();
        cpu.Load(reader);
        TlbStatistics instruction = LoadTlb(reader), data = LoadTlb(reader), second = LoadTlb(reader);
        var structures = new TlbStatistics[reader.ReadInt32("structures", 0, MostStructures)];
        for (int i = 0; i < structures.Length; i++)
            structures[i] = LoadTlb(reader);
        Span<ulong> counts = stackalloc ulong[14];
        reader.ReadArray("walks", counts);
        var caches = new StructureCacheStatistics[reader.ReadInt32("structureCaches", 0, MostStructures)];
        for (int i = 0; i < caches.Length; i++)
            caches[i] = new StructureCacheStatistics(reader.ReadText("name", MostNameBytes), reader.ReadBoolean("exists"), reader.ReadUInt64("hits"), reader.ReadUInt64("misses"));
        var mmu = new MmuStatistics
        {
            L1Instruction = instruction,
            L1Data = data,
            L2 = second,
            Structures = structures,
            Walks = new WalkStatistics
            {
                Miss = counts[0],
                Dirty = counts[1],
                Rights = counts[2],
                Prefetch = counts[3],
                PrefetchReferences = counts[4],
                GuestReferences = counts[5],
                EptReferences = counts[6],
                Faulted = counts[7],
                FaultedReferences = counts[8],
                FlagUpdates = counts[9],
                StructureCaches = caches,
            },
            Faults = new FaultStatistics(counts[10], counts[11], counts[12]) { NestedPageFaults = counts[13] },
        };
        return new CountsMoment(cpu, mmu, reader.ReadBoolean("timed") ? LoadTiming(reader) : null);
    }

    private static void Save(StateWriter writer, TlbStatistics statistics)
    {
        writer.Write(statistics.Name);
        writer.Write(statistics.Exists);
        writer.Write(statistics.Unresolved);
        foreach (PageSizeStatistics size in (ReadOnlySpan<PageSizeStatistics>)[statistics.Size4K, statistics.Size2M, statistics.Size1G])
            writer.WriteArray<ulong>([size.Hits, size.Misses, size.Fills, size.Evictions, size.Invalidations]);
    }

    private static TlbStatistics LoadTlb(StateReader reader) => new()
    {
        Name = reader.ReadText("name", MostNameBytes),
        Exists = reader.ReadBoolean("exists"),
        Unresolved = reader.ReadUInt64("unresolved"),
        Size4K = LoadSize(reader),
        Size2M = LoadSize(reader),
        Size1G = LoadSize(reader),
    };

    private static PageSizeStatistics LoadSize(StateReader reader)
    {
        Span<ulong> counts = stackalloc ulong[5];
        reader.ReadArray("bySize", counts);
        return new PageSizeStatistics(counts[0], counts[1], counts[2], counts[3], counts[4]);
    }

    private static void Save(StateWriter writer, TimingStatistics timing)
    {
        writer.Write(timing.Cycles);
        writer.Write(timing.WalkCycles);
        writer.WriteArray<ulong>([.. timing.ReferenceHits]);
        writer.Write(timing.Caches.Count);
        foreach (CacheStatistics cache in timing.Caches)
        {
            writer.Write(cache.Name);
            writer.WriteArray<ulong>([cache.References, cache.Hits, cache.WalkReferences, cache.WalkHits]);
        }
    }

    private static TimingStatistics LoadTiming(StateReader reader)
    {
        ulong cycles = reader.ReadUInt64("cycles"), walkCycles = reader.ReadUInt64("walkCycles");
        ulong[] hits = reader.ReadArray<ulong>("referenceHits", MostLevels);
        var caches = new CacheStatistics[reader.ReadInt32("caches", 0, MostLevels)];
        Span<ulong> counts = stackalloc ulong[4];
        for (int i = 0; i < caches.Length; i++)
        {
            string name = reader.ReadText("name", MostNameBytes);
            reader.ReadArray("counts", counts);
            caches[i] = new CacheStatistics(name, counts[0], counts[1], counts[2], counts[3]);
        }

        return new TimingStatistics { Cycles = cycles, WalkCycles = walkCycles, ReferenceHits = hits, Caches = caches };
    }
}
