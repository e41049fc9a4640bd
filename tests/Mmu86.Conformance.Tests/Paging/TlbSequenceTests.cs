using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Hits and misses, access by access, against a TLB made of lists: replacement, index, fragments, tags, and that the filter changes none of it.</summary>
[LongTests]
public sealed class TlbSequenceTests
{
    private const int AccessesPerMachine = 4_000;

    [Fact]
    public void Access_RandomStreamOnRandomMachines_HitsAndMissesAsTheReferenceDoes()
    {
        var log = new MismatchLog();
        int machines = TestTiers.Pick(40, 600, 20_000);
        int filtered = 0;
        int repeated = 0;
        for (int number = 0; number < machines && !log.IsFull; number++)
        {
            (int Filtered, int Repeated) one = Run(number, Machine(TestSeed.Case(number)), log);
            filtered += one.Filtered;
            repeated += one.Repeated;
        }

        log.AssertNone();
        // Were the filter always silent, the test would show nothing of it.
        Assert.InRange(filtered, machines * 50, int.MaxValue);
        Assert.InRange(repeated, machines * 50, int.MaxValue);
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
    [InlineData(Replacement.Nru, 1)]
    [InlineData(Replacement.Nru, 6)]
    [InlineData(Replacement.Srrip, 4)]
    [InlineData(Replacement.Srrip, 9)]
    [InlineData(Replacement.Permutation, 4)]
    [InlineData(Replacement.Permutation, 7)]
    public void Access_RandomStreamOnOnePolicy_HitsAndMissesAsTheReferenceDoes(Replacement replacement, int ways)
    {
        var log = new MismatchLog();
        foreach (IndexHash hash in Enum.GetValues<IndexHash>())
        {
            if (hash == IndexHash.Skewed && replacement is not (Replacement.Lru or Replacement.Fifo or Replacement.Nru))
                continue;
            var random = new Random(ways);
            TlbLevelConfiguration Level(string name, int sets) => TestMmuConfigurations.Level(TestMmuConfigurations.Completed(
                TestMmuConfigurations.Array(name, hash == IndexHash.Skewed ? 4 * sets : sets, ways, hash, replacement, "4k", "2m", "1g"), random));
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

    private static (int Filtered, int Repeated) Run(int number, MmuConfiguration configuration, MismatchLog log) =>
        new TlbSequence(number, configuration, log).Run(AccessesPerMachine);

    private static MmuConfiguration Machine(Random random)
    {
        while (true)
        {
            MmuConfiguration machine = TestMmuConfigurations.Random(random);
            bool isRandom = TestMmuConfigurations.Levels(machine)
                .SelectMany(level => level.Arrays)
                .Any(array => array.Replacement == Replacement.Random);
            if (!isRandom)
                return machine;
        }
    }
}
