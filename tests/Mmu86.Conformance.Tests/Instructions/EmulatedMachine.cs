using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.HostCpu;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>An emulated machine that executes cases, with the name by which reports call it.</summary>
internal sealed class EmulatedMachine : IDisposable
{
    private readonly HostMemory _memory = new(EmulatedInstructionSubject.MemoryBytes);
    private readonly Mmu<Unobserved> _mmu;
    private readonly EmulatedInstructionSubject _subject;

    public EmulatedMachine(string name, MmuConfiguration configuration)
    {
        Name = name;
        _mmu = new Mmu<Unobserved>(_memory, configuration, default);
        _subject = new EmulatedInstructionSubject(_memory, _mmu);
    }

    public string Name { get; }

    /// <summary>What the CPU has counted so far.</summary>
    public CountedWork Counts => CountedWork.Of(_subject.Vcpu.Counters);

    /// <summary>What the MMU has counted so far, hits that the filter answered included.</summary>
    public MmuStatistics Statistics => _mmu.Snapshot(_subject.Vcpu.Counters.DataLookups, _subject.Vcpu.Counters.FetchLookups);

    /// <summary>Lookups that reached the slow side.</summary>
    public ulong SlowDataLookups => _mmu.Statistics.L1Data.Lookups;

    public SubjectResult Execute(in InstructionCase test) => _subject.Execute(test);

    public void Dispose()
    {
        _subject.Dispose();
        _mmu.Dispose();
        _memory.Dispose();
    }

    /// <summary>The counters of a CPU, to be compared with those of another.</summary>
    public readonly record struct CountedWork(
        ulong Instructions, ulong RepIterations, ulong Loads, ulong Stores, ulong Splits, ulong Implicit, ulong PageFaults, ulong DataLookups, ulong FetchLookups)
    {
        public static CountedWork Of(CpuCounters counters) => new(
            counters.Instructions,
            counters.RepIterations,
            counters.Loads,
            counters.Stores,
            counters.Splits,
            counters.Implicit,
            counters.PageFaults,
            counters.DataLookups,
            counters.FetchLookups);

        public static CountedWork operator -(CountedWork left, CountedWork right) => new(
            left.Instructions - right.Instructions,
            left.RepIterations - right.RepIterations,
            left.Loads - right.Loads,
            left.Stores - right.Stores,
            left.Splits - right.Splits,
            left.Implicit - right.Implicit,
            left.PageFaults - right.PageFaults,
            left.DataLookups - right.DataLookups,
            left.FetchLookups - right.FetchLookups);
    }
}
