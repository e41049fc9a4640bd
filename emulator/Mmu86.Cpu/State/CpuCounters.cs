using Mmu86.Memory;

namespace Mmu86.Cpu;

/// <summary>What one virtual CPU counted since it was made. Definitions: the run report's "What is counted".</summary>
public sealed class CpuCounters
{
    // Accesses of handlers, whose lookups follow from them; those of managed instructions count their lookups themselves.
    internal ulong HandlerLoads;
    internal ulong HandlerStores;
    internal ulong HandlerReadModifyWrites;
    internal ulong ManagedLoads;
    internal ulong ManagedStores;

    // Data lookups beyond the handlers' own: managed instructions, second pages, faulting attempts.
    internal ulong ExtraDataLookups;

    // Fetch lookups beyond one for each retired instruction: second pages, faulting attempts.
    internal ulong ExtraFetchLookups;

    /// <summary>Retired instructions; a REP string instruction is one.</summary>
    public ulong Instructions { get; internal set; }

    /// <summary>Elements of REP string instructions.</summary>
    public ulong RepIterations { get; internal set; }

    /// <summary>Loads of retired instructions; each string element is one.</summary>
    public ulong Loads => HandlerLoads + ManagedLoads;

    /// <summary>Stores of retired instructions.</summary>
    public ulong Stores => HandlerStores + ManagedStores;

    /// <summary>Accesses that crossed a page: two lookups.</summary>
    public ulong Splits { get; internal set; }

    /// <summary>Accesses of the processor itself: descriptors, TSS, exception stacks.</summary>
    public ulong Implicit { get; internal set; }

    /// <summary>Page faults raised, whether delivered to the guest or intercepted.</summary>
    public ulong PageFaults { get; internal set; }

    /// <summary>Lookups of the first-level data TLB.</summary>
    public ulong DataLookups => HandlerLoads + HandlerStores - HandlerReadModifyWrites + ExtraDataLookups;

    /// <summary>Lookups of the first-level instruction TLB.</summary>
    public ulong FetchLookups => Instructions + ExtraFetchLookups;

    /// <summary>Writes every count.</summary>
    public void Save(StateWriter writer) => writer.WriteArray<ulong>([
        HandlerLoads, HandlerStores, HandlerReadModifyWrites, ManagedLoads, ManagedStores, ExtraDataLookups, ExtraFetchLookups,
        Instructions, RepIterations, Splits, Implicit, PageFaults]);

    /// <summary>Reads them back.</summary>
    public void Load(StateReader reader)
    {
        Span<ulong> counts = stackalloc ulong[12];
        reader.ReadArray("counters", counts);
        HandlerLoads = counts[0];
        HandlerStores = counts[1];
        HandlerReadModifyWrites = counts[2];
        ManagedLoads = counts[3];
        ManagedStores = counts[4];
        ExtraDataLookups = counts[5];
        ExtraFetchLookups = counts[6];
        Instructions = counts[7];
        RepIterations = counts[8];
        Splits = counts[9];
        Implicit = counts[10];
        PageFaults = counts[11];
    }

    /// <summary>A copy that later counting does not change.</summary>
    public CpuCounters Clone() => (CpuCounters)MemberwiseClone();
}
