using Iced.Intel;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.HostCpu;
using Mmu86.TestKit.Paging;
using Xunit;
using Xunit.Abstractions;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>Every general-purpose instruction, executed by the emulator and by the host CPU: registers, flags, memory, faults.</summary>
/// <remarks>
/// Each case runs on two machines: one whose filter is warm, so that handlers take their fast side and blocks are chained and
/// fused, and one that looks every access up, so that the slow side and single steps do the same work. Both must count the same.
/// </remarks>
[LongTests]
public sealed class EmulatorAgainstHostTests(ITestOutputHelper output)
{
    private const int BatchSize = 4096;

    [SkippableFact]
    public void GeneralPurposeInstructions_AgreeWithHost()
    {
        using HostProcessor host = HostProcessor.Start();
        OpCodeInfo[] forms = [.. InstructionForms.GeneralPurpose.Where(form => host.HasFsGsBase || !InstructionForms.IsFsGsBase(form))];
        InstructionCaseGenerator generator = new(TestData.Seed, forms, TestData.SplitLocks());
        Compare(host, generator.Create, TestTiers.Pick(10_000, 250_000, 1_500_000));
    }

    [SkippableFact]
    public void PrivilegedInstructions_FaultInRing3AsOnHost()
    {
        using HostProcessor host = HostProcessor.Start();
        InstructionCaseGenerator generator = new(TestData.Seed, InstructionForms.Privileged, TestData.SplitLocks());
        Compare(host, generator.Create, TestTiers.Pick(500, 10_000, 50_000));
    }

    [SkippableFact]
    public void SequencesOfInstructions_AgreeWithHost()
    {
        using HostProcessor host = HostProcessor.Start();
        InstructionSequenceGenerator generator = new(TestData.Seed, TestData.UndefinedFlags());
        Compare(host, generator.Create, TestTiers.Pick(10_000, 100_000, 500_000));
    }

    [SkippableFact]
    public void NarrowInstructions_AgreeWithHost()
    {
        using HostProcessor host = HostProcessor.Start();
        NarrowCaseGenerator generator = new(TestData.Seed, TestData.SplitLocks());
        Compare(host, generator.Create, TestTiers.Pick(20_000, 120_000, 1_000_000));
    }

    private void Compare(HostProcessor host, Func<long, InstructionCase> create, int count)
    {
        output.WriteLine($"seed {TestData.Seed}, {count} cases");
        MmuConfiguration shape = TestMmuConfigurations.SmallSkylake();
        using EmulatedMachine warm = new("filter warm", shape with { LookUpEveryAccess = false });
        using EmulatedMachine cold = new("every access looked up", shape with { LookUpEveryAccess = true });
        CaseJudge judge = new(warm, cold);
        InstructionCase[] cases = new InstructionCase[BatchSize];
        SubjectResult[] expected = new SubjectResult[BatchSize];
        for (int done = 0; done < count; done += BatchSize)
        {
            int batch = Math.Min(BatchSize, count - done);
            for (int i = 0; i < batch; i++)
                cases[i] = create(done + i);
            host.Execute(cases.AsSpan(0, batch), expected.AsSpan(0, batch));
            for (int i = 0; i < batch; i++)
                judge.Judge(done + i, cases[i], expected[i]);
        }

        Assert.True(judge.Report.Count == 0, $"seed {TestData.Seed}: {judge.Report}");
        judge.AssertStatisticsAgree();
    }
}
