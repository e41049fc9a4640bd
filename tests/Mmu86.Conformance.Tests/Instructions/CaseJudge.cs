using System.Text.Json;
using Mmu86.TestKit.HostCpu;
using Xunit;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>Executes cases on two emulated machines and compares them with the host, and their counts with each other.</summary>
internal sealed class CaseJudge(EmulatedMachine warm, EmulatedMachine cold)
{
    private const int ShownOfEach = 2;

    private readonly CaseComparer _comparer = new(TestData.UndefinedFlags());
    private CountedWork _warmBefore = warm.Counts;
    private CountedWork _coldBefore = cold.Counts;

    public MismatchReport Report { get; } = new(ShownOfEach);

    public void Judge(long index, in InstructionCase test, in SubjectResult expected)
    {
        Compare(warm, index, test, expected);
        Compare(cold, index, test, expected);

        CountedWork warmCounts = warm.Counts - _warmBefore;
        CountedWork coldCounts = cold.Counts - _coldBefore;
        if (warmCounts != coldCounts)
            Report.Add(index, "counts", test, [$"{cold.Name}: {coldCounts}", $"{warm.Name}: {warmCounts}"]);
        _warmBefore = warm.Counts;
        _coldBefore = cold.Counts;
    }

    /// <summary>That the filter hid nothing from the statistics, and that it was used at all.</summary>
    public void AssertStatisticsAgree()
    {
        Assert.Equal(JsonSerializer.Serialize(cold.Statistics), JsonSerializer.Serialize(warm.Statistics));
        Assert.Equal(cold.Counts.DataLookups, cold.SlowDataLookups);
        Assert.InRange(warm.SlowDataLookups, 0UL, cold.SlowDataLookups / 2);
    }

    private void Compare(EmulatedMachine machine, long index, in InstructionCase test, in SubjectResult expected)
    {
        IReadOnlyList<string> differences;
        try
        {
            differences = _comparer.Compare(test, expected, machine.Execute(test));
        }
        catch (InvalidOperationException stop)
        {
            differences = [stop.Message];
        }

        if (differences.Count > 0)
            Report.Add(index, machine.Name, test, differences);
    }
}
