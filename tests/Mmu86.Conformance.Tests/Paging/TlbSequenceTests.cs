using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Hits and misses, access by access, against a TLB made of lists: replacement, index, fragments, tags, and that the filter changes none of it.</summary>
public sealed class TlbSequenceTests
{
    private const int AccessesPerMachine = 4_000;

    [Fact]
    public void Access_RandomStreamOnRandomMachines_HitsAndMissesAsTheReferenceDoes()
    {
        var log = new MismatchLog();
        int machines = TestTiers.Pick(60, 1_500, 30_000);
        int filtered = 0;
        for (int number = 0; number < machines && !log.IsFull; number++)
            filtered += Run(number, Machine(TestSeed.Case(number)), log);

        log.AssertNone();
        // Were the filter always silent, the test would show nothing of it.
        Assert.InRange(filtered, machines * 50, int.MaxValue);
    }

    [Theory]
    [InlineData(Replacement.Lru, 4)]
    [InlineData(Replacement.Lru, 7)]
    [InlineData(Replacement.TreePlru, 1)]
    [InlineData(Replacement.TreePlru, 4)]
    [InlineData(Replacement.TreePlru, 16)]
    [InlineData(Replacement.Fifo, 4)]
    [InlineData(Replacement.Mru3Plru, 3)]
    [InlineData(Replacement.Mru3Plru, 12)]
    public void Access_RandomStreamOnOnePolicy_HitsAndMissesAsTheReferenceDoes(Replacement replacement, int ways)
    {
        var log = new MismatchLog();
        foreach (IndexHash hash in Enum.GetValues<IndexHash>())
        {
            TlbLevelConfiguration Level(string name, int sets) =>
                TestMmuConfigurations.Level(TestMmuConfigurations.Array(name, sets, ways, hash, replacement, "4k", "2m", "1g"));
            MmuConfiguration machine = TestMmuConfigurations.Uncached() with
            {
                L1Instruction = Level("l1i", 1),
                L1Data = Level("l1d", 2),
                L2 = Level("l2", 4),
                LookUpEveryAccess = hash == IndexHash.Linear,
            };
            Run(1000 + ways, machine, log);
        }

        log.AssertNone();
    }

    private static int Run(int number, MmuConfiguration configuration, MismatchLog log)
    {
        Random random = TestSeed.Case(number);
        using var machine = new PagedMachine(configuration);
        var stream = new AccessStream(machine, random);
        var reference = new ReferenceTlb(configuration);
        var cpu = new FilteredCpu(machine.Mmu);
        var expectedTotals = new Dictionary<(bool IsFetch, TlbAnswer Answer), ulong>();
        for (int i = 0; i < AccessesPerMachine; i++)
        {
            if (random.Next(40) == 0)
                stream.Disturb(reference);
            if (machine.Mmu.AttributionIsDue || random.Next(300) == 0)
                cpu.Attribute();

            AccessStream.Access access = stream.Next();
            TlbAnswer expected = reference.Access(access.Address, access.Kind, machine.Mmu.Context.Pcid, access.Page.Size, access.Page.IsGlobal);
            TlbAnswer got = cpu.Access(access.Address, access.Kind, access.Mode);
            (bool, TlbAnswer) key = (access.Kind == AccessKind.Fetch, expected);
            expectedTotals[key] = expectedTotals.GetValueOrDefault(key) + 1;
            if (expected == got)
                continue;
            log.Add($"seed {TestSeed.Base} machine {number} access {i}: {access}\n  {Describe(configuration)}", expected.ToString(), got.ToString());
            return cpu.Filtered;
        }

        CheckTotals(number, cpu.Count(), expectedTotals, log);
        return cpu.Filtered;
    }

    private static void CheckTotals(int number, MmuStatistics counted, Dictionary<(bool IsFetch, TlbAnswer Answer), ulong> totals, MismatchLog log)
    {
        ulong Of(bool isFetch, TlbAnswer answer) => totals.GetValueOrDefault((isFetch, answer));
        ulong Both(TlbAnswer answer) => Of(isFetch: false, answer) + Of(isFetch: true, answer);
        var expected = (Of(true, TlbAnswer.FirstLevel), Of(false, TlbAnswer.FirstLevel), Both(TlbAnswer.SecondLevel), Both(TlbAnswer.Miss));
        var got = (counted.L1Instruction.Hits, counted.L1Data.Hits, counted.L2.Hits, counted.L2.Misses);
        if (expected != got)
            log.Add($"seed {TestSeed.Base} machine {number}, totals of l1i hits, l1d hits, l2 hits, l2 misses", expected.ToString(), got.ToString());
    }

    private static MmuConfiguration Machine(Random random)
    {
        while (true)
        {
            MmuConfiguration machine = TestMmuConfigurations.Random(random);
            bool isRandom = ((TlbLevelConfiguration[])[machine.L1Instruction, machine.L1Data, machine.L2])
                .SelectMany(level => level.Arrays)
                .Any(array => array.Replacement == Replacement.Random);
            if (!isRandom)
                return machine;
        }
    }

    private static string Describe(MmuConfiguration machine) =>
        $"look up every access: {machine.LookUpEveryAccess}; " + string.Join("; ", ((TlbLevelConfiguration[])[machine.L1Instruction, machine.L1Data, machine.L2])
            .SelectMany(level => level.Arrays)
            .Select(array => $"{array.Name} {string.Join('+', array.PageSizes)} {array.Sets}x{array.Ways} {array.Hash} {array.Replacement}"));
}
