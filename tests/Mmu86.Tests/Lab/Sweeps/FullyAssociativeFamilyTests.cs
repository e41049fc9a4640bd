using Mmu86.Lab.Sweeps.OnePass;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps;

[LongTests]
public sealed class FullyAssociativeFamilyTests
{
    [Fact]
    public void Misses_SizesUpTo4096_EqualDirectSimulation()
    {
        for (int seed = 0; seed < TestTiers.Pick(10, 40, 200); seed++)
        {
            Random random = TestSeed.Case(4000 + seed);
            SweepEvent[] events = SweepEvent.Stream(random, 40_000, 1 << random.Next(8, 14), 0, 1, 7);
            int[] sizes = [1, 2, 3, 4095, 4096, .. Enumerable.Range(0, 25).Select(_ => random.Next(1, 1 << random.Next(4, 13)))];
            RequireEqual(seed, events, 4096, new PageIdTable(4096), sizes);
        }
    }

    [Fact]
    public void Misses_SmallFamiliesAndMorePagesThanIds_EqualDirectSimulation()
    {
        const uint Alike = 1u << 31;
        for (int seed = 0; seed < TestTiers.Pick(60, 300, 3000); seed++)
        {
            Random random = TestSeed.Case(5000 + seed);
            int most = random.Next(1, 80);
            SweepEvent[] events = SweepEvent.Stream(random, 5000, 1 << random.Next(2, 11), 0, Alike, 3);
            RequireEqual(seed, events, most, new PageIdTable(most, smallestIndexBits: 1), [.. Enumerable.Range(1, most)]);
        }
    }

    [SkippableFact]
    public void Misses_EachSizeUpTo4096_EqualDirectSimulation()
    {
        TestTiers.Require(TestTier.Ci);
        SweepEvent[] events = SweepEvent.Stream(TestSeed.Case(6000), 30_000, 6000, 0, 1);
        RequireEqual(0, events, 4096, new PageIdTable(4096), [.. Enumerable.Range(1, 4096)]);
    }

    [Fact]
    public void MissCurve_AnyStream_IsMissesOfEachSizeAndNeverRises()
    {
        FullyAssociativeFamily family = Run(SweepEvent.Stream(TestSeed.Case(7000), 20_000, 300, 0), 128, new PageIdTable(128));
        long[] curve = family.MissCurve();

        Assert.Equal(Enumerable.Range(1, 128).Select(family.Misses), curve);
        Assert.Equal(curve.OrderDescending(), curve);
        Assert.InRange(curve[^1], family.ColdMisses, family.Lookups);
    }

    [Fact]
    public void RetireSpace_SamePagesAgain_AreColdAgain()
    {
        var family = new FullyAssociativeFamily(8);
        family.Access(1, 4, 2);
        family.RetireSpace(4);
        family.Access(1, 4, 1);

        Assert.Equal(2, family.ColdMisses);
        Assert.Equal(2, family.Misses(8));
        Assert.Equal(3, family.Lookups);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(9)]
    public void Misses_EntriesOutsideTheFamily_IsRefused(int entries) =>
        Assert.Throws<ArgumentOutOfRangeException>("entries", () => new FullyAssociativeFamily(8).Misses(entries));

    [Theory]
    [InlineData(0)]
    [InlineData(FullyAssociativeFamily.EntriesLimit + 1)]
    public void Family_EntriesOutOfRange_IsRefused(int entries) =>
        Assert.Throws<ArgumentOutOfRangeException>("mostEntries", () => new FullyAssociativeFamily(entries));

    private static void RequireEqual(int seed, SweepEvent[] events, int most, PageIdTable table, int[] sizes)
    {
        FullyAssociativeFamily family = Run(events, most, table);
        foreach (int entries in sizes)
        {
            var direct = new LiteralFullyAssociative(entries);
            foreach (SweepEvent next in events)
                direct.Apply(next);
            string array = $"seed {TestSeed.Base}, case {seed}, {entries} entries: ";
            Assert.Equal(array + direct.Misses, array + family.Misses(entries));
        }
    }

    private static FullyAssociativeFamily Run(SweepEvent[] events, int most, PageIdTable table)
    {
        var family = new FullyAssociativeFamily(most, table);
        foreach (SweepEvent next in events)
        {
            switch (next.Kind)
            {
                case SweepEventKind.Access:
                    family.Access(next.Page, next.Space, next.Repeats);
                    break;
                case SweepEventKind.InvalidatePage:
                    family.InvalidatePage(next.Page, next.Space);
                    break;
                case SweepEventKind.InvalidateSpace:
                    family.InvalidateSpace(next.Space);
                    break;
                case SweepEventKind.InvalidateAll:
                    family.InvalidateAll();
                    break;
            }
        }

        return family;
    }
}
