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
}
