using Mmu86.Lab.Sweeps.OnePass;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps;

public sealed class LruFamilyTests
{
    private static readonly int[] AllSetCounts = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

    [Fact]
    public void Misses_All160Arrays_EqualDirectSimulation()
    {
        for (int seed = 0; seed < TestTiers.Pick(12, 40, 400); seed++)
        {
            Random random = TestSeed.Case(seed);
            SweepEvent[] events = SweepEvent.Stream(random, 6000, 1 << random.Next(4, 14), 0, 1, 7);
            RequireEqual(seed, events, AllSetCounts, LruFamilyGeometry.WaysLimit);
        }
    }

    [Fact]
    public void Misses_FewSetCountsOrWays_EqualDirectSimulation()
    {
        for (int seed = 0; seed < TestTiers.Pick(60, 200, 2000); seed++)
        {
            Random random = TestSeed.Case(1000 + seed);
            int[] setCounts = [.. AllSetCounts.Where(_ => random.Next(3) == 0).DefaultIfEmpty(8)];
            SweepEvent[] events = SweepEvent.Stream(random, 3000, 1 << random.Next(2, 12), 0, 5);
            RequireEqual(seed, events, setCounts, random.Next(1, LruFamilyGeometry.WaysLimit + 1));
        }
    }

    [Fact]
    public void Misses_MorePagesThanIds_EqualDirectSimulation()
    {
        // Spaces that are alike in all bits that an id has room for.
        const uint Alike = 1u << 30;
        int[] setCounts = [2, 4];
        for (int seed = 0; seed < TestTiers.Pick(30, 100, 1000); seed++)
        {
            Random random = TestSeed.Case(2000 + seed);
            SweepEvent[] events = SweepEvent.Stream(random, 8000, 4000, 1, 1 | Alike, 2, 3 * Alike);
            RequireEqual(seed, events, setCounts, 16, mostHeld => new PageIdTable(mostHeld, smallestIndexBits: 1));
        }
    }

    [Fact]
    public void Access_RowsOfEitherWidth_AgreeWithOneAnother()
    {
        for (int seed = 0; seed < 500; seed++)
        {
            Random random = TestSeed.Case(3000 + seed);
            uint[] halved = [.. Enumerable.Range(1, 16).Select(id => random.Next(3) == 0 ? 0u : (uint)id)];
            uint[] wide = [.. halved];
            uint id = (uint)random.Next(1, 20);
            List<uint> expected = [.. halved];
            int position = expected.IndexOf(id);
            if (position >= 0)
                expected[position] = 0;
            int hole = expected.IndexOf(0);
            expected.RemoveAt(hole < 0 ? 15 : hole);
            expected.Insert(0, id);

            RequireTouch(HalvedRow.Of(id), halved, position, expected);
            if (WideRow.IsSupported)
                RequireTouch(WideRow.Of(id), wide, position, expected);
        }
    }

    [Fact]
    public void Access_ManyShortLivedSpaces_KeepsIdsAndSeenPagesBounded()
    {
        var table = new PageIdTable(16, smallestIndexBits: 1);
        var family = new LruFamily(new LruFamilyGeometry([1], 16), _ => table);
        for (uint space = 0; space < 2000; space++)
        {
            for (ulong page = 0; page < 100; page++)
                family.Access(page * 1000, space, 1);
            family.RetireSpace(space);
        }

        Assert.InRange(table.IndexBound, 1, 64);
        Assert.Equal(0, family.SeenGroups);
        Assert.Equal(200_000, family.ColdMisses);
    }

    [Fact]
    public void ColdMisses_PageInvalidatedOrEvicted_CountsItOnce()
    {
        var family = new LruFamily(new LruFamilyGeometry([1], 2));
        family.Access(1, 0, 3);
        family.InvalidateAll();
        family.Access(1, 0, 1);
        for (ulong page = 2; page < 20; page++)
            family.Access(page, 0, 1);
        family.Access(1, 0, 1);
        family.Access(1, 1, 1);

        Assert.Equal(20, family.ColdMisses);
        Assert.Equal(22, family.Misses(1, 2));
        Assert.Equal(24, family.Lookups);
    }

    [Fact]
    public void RetireSpace_SamePagesAgain_AreColdAgain()
    {
        var family = new LruFamily(new LruFamilyGeometry([1], 2));
        family.Access(1, 4, 1);
        family.Access(1, 5, 1);
        family.RetireSpace(4);
        family.Access(1, 4, 1);
        family.Access(1, 5, 1);

        Assert.Equal(3, family.ColdMisses);
        Assert.Equal(3, family.Misses(1, 2));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(17)]
    public void Misses_WaysOutsideTheFamily_IsRefused(int ways)
    {
        var family = new LruFamily(new LruFamilyGeometry([1, 2], 16));
        Assert.Throws<ArgumentOutOfRangeException>("ways", () => family.Misses(1, ways));
        Assert.Throws<ArgumentOutOfRangeException>("sets", () => family.Misses(4, 1));
    }

    [Fact]
    public void Access_NoRepeats_IsRefused()
    {
        var family = new LruFamily(new LruFamilyGeometry([1], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => family.Access(1, 0, 0));
    }

    [Fact]
    public void Geometry_SetCountsNotRisingPowersOfTwo_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => new LruFamilyGeometry([], 4));
        Assert.Throws<ArgumentException>(() => new LruFamilyGeometry([3], 4));
        Assert.Throws<ArgumentException>(() => new LruFamilyGeometry([2, 2], 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LruFamilyGeometry([0], 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LruFamilyGeometry([1], 17));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LruFamilyGeometry([LruFamilyGeometry.SetsLimit * 2], 4));
    }

    private static void RequireTouch<TRow>(TRow front, uint[] row, int position, List<uint> expected)
        where TRow : struct, IRecencyRow<TRow>
    {
        uint[] swapped = [.. row];
        Assert.Equal(position < 0 ? IRecencyRow<TRow>.NoPosition : position, front.Touch(ref row[0]));
        Assert.Equal(expected, row);
        if (position != 1)
            return;
        front.SwapFirst(ref swapped[0]);
        Assert.Equal(expected, swapped);
    }

    private static void RequireEqual(int seed, SweepEvent[] events, int[] setCounts, int mostWays) =>
        RequireEqual(seed, events, setCounts, mostWays, mostHeld => new PageIdTable(mostHeld));

    private static void RequireEqual(int seed, SweepEvent[] events, int[] setCounts, int mostWays, Func<int, PageIdTable> makeIds)
    {
        var family = new LruFamily(new LruFamilyGeometry(setCounts, mostWays), makeIds);
        var halved = new LruFamily(new LruFamilyGeometry(setCounts, mostWays), makeIds);
        List<PageReference> batch = [];
        foreach (SweepEvent next in events)
        {
            if (next.Kind == SweepEventKind.Access)
            {
                batch.Add(new PageReference(next.Page, next.Space, next.Repeats));
                continue;
            }

            family.Access(batch.ToArray());
            halved.AccessAll<HalvedRow>(batch.ToArray());
            batch.Clear();
            Invalidate(family, next);
            Invalidate(halved, next);
        }

        family.Access(batch.ToArray());
        halved.AccessAll<HalvedRow>(batch.ToArray());
        foreach (int sets in setCounts)
        {
            for (int ways = 1; ways <= mostWays; ways++)
            {
                var direct = new LiteralArray(sets, ways);
                foreach (SweepEvent next in events)
                    direct.Apply(next);
                string array = $"seed {TestSeed.Base}, case {seed}, {sets} sets of {ways} ways: ";
                Assert.Equal(array + direct.Misses, array + family.Misses(sets, ways));
                Assert.Equal(array + direct.Misses, array + halved.Misses(sets, ways));
                Assert.Equal(direct.Lookups, family.Lookups);
            }
        }
    }

    private static void Invalidate(LruFamily family, SweepEvent next)
    {
        switch (next.Kind)
        {
            case SweepEventKind.InvalidatePage:
                family.InvalidatePage(next.Page, next.Space);
                break;
            case SweepEventKind.InvalidateSpace:
                family.InvalidateSpace(next.Space);
                break;
            default:
                family.InvalidateAll();
                break;
        }
    }
}
