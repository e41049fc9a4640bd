using Mmu86.Hypervisor.Replacement;
using Mmu86.TestKit;
using Mmu86.TestKit.Hypervisor;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>What the literature says of the policies holds for ours.</summary>
public sealed class KnownResultsTests
{
    private const int Frames = 100;

    // Belady, Nelson and Shedler (1969): twelve references, 9 faults in three frames and 10 in four.
    private static readonly int[] s_anomaly = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5];

    // Streams of all kinds, and the misses of OPT, with which every policy is compared.
    private static readonly Lazy<List<(int Seed, int Frames, int[] Pages, long Best)>> s_optimal = new(() =>
    {
        List<(int Seed, int Frames, int[] Pages, long Best)> optimal = [];
        for (int seed = 0; seed < TestTiers.Pick(6, 30, 200); seed++)
        {
            Random random = TestSeed.Case(37_000 + seed);
            int frames = random.Next(2, 150);
            int[][] streams =
            [
                PageStreams.Uniform(random, 2 * frames, 6000),
                PageStreams.Loop(frames + random.Next(1, frames), 6000),
                PageStreams.HotWithScans(random, Math.Max(1, frames * 3 / 4), 6000),
                PageStreams.Zipf(random, 5 * frames, 6000),
                PageStreams.Phases(random, 10 * frames, frames, 6000),
            ];
            optimal.AddRange(streams.Select(pages => (seed, frames, pages, Misses("opt", SimulationOptions.Exact(frames), pages))));
        }

        return optimal;
    });

    public static TheoryData<string> All => [.. PageReplacement.All.Select(policy => policy.Name)];

    [Theory]
    [InlineData("fifo", 3, 9)]
    [InlineData("fifo", 4, 10)]
    [InlineData("lru", 3, 10)]
    [InlineData("lru", 4, 8)]
    [InlineData("opt", 3, 7)]
    [InlineData("opt", 4, 6)]
    public void Misses_OfBeladysString_AreTheClassicOnes(string name, int frames, int misses) =>
        Assert.Equal(misses, Misses(name, SimulationOptions.Exact(frames), s_anomaly));

    [Fact]
    public void Misses_OfLru_NeverRiseWithMemory()
    {
        for (int seed = 0; seed < 20; seed++)
        {
            int[] pages = PageStreams.Zipf(TestSeed.Case(33_000 + seed), 60, 2000);
            long[] misses = [.. Enumerable.Range(1, 40).Select(frames => Misses("lru", SimulationOptions.Exact(frames), pages))];
            Assert.Equal(misses.OrderDescending(), misses);
        }
    }

    [Theory]
    [InlineData("fifo")]
    [InlineData("clock")]
    [InlineData("lru")]
    public void Misses_OfALoopOnePageTooLong_AreAllReferences(string name) =>
        Assert.Equal(5000, Misses(name, SimulationOptions.Exact(Frames), PageStreams.Loop(Frames + 1, 5000)));

    [Fact]
    public void Misses_OfALoopOnePageTooLongUnderOpt_AreOneInAMemoryful()
    {
        // After the cold misses, each miss lets the next frames - 1 references hit.
        long misses = Misses("opt", SimulationOptions.Exact(Frames), PageStreams.Loop(Frames + 1, 5000));
        Assert.InRange(misses, Frames + (4900 / Frames), Frames + (4900 / (Frames - 1)) + 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(400)]
    public void Misses_OfHotPagesBesideAScan_AreFewerWhereScansAreKeptOut(int accessesPerScan)
    {
        const int Memory = 400;
        const int Hot = 240;
        int[] pages = PageStreams.HotBesideScan(TestSeed.Case(34_000), Hot, scannedBetween: 2, 100_000);
        long cold = pages.LongCount(page => page >= Hot);
        SimulationOptions options = SimulationOptions.Sampled(Memory, accessesPerScan);

        // Hot pages would fit; LRU keeps as much of the scan as of them.
        long lru = Misses("lru", options, pages) - cold;
        foreach (string name in (string[])["2q", "arc", "mglru"])
            Assert.True((Misses(name, options, pages) - cold) * 2 < lru, $"{name}: {Misses(name, options, pages) - cold} of {lru}");
    }

    [Theory]
    [InlineData("arc")]
    [InlineData("mglru")]
    public void Misses_OfHotPagesAfterBurstsOfScans_AreFewerWhereScansAreKeptOut(string name)
    {
        const int Hot = 70;
        int[] pages = PageStreams.HotWithScans(TestSeed.Case(34_001), Hot, 60_000);
        long cold = pages.LongCount(page => page >= Hot);

        // A burst is longer than memory: Clock loses all hot pages to it, as does 2Q, whose first queue they never leave before.
        SimulationOptions options = SimulationOptions.Sampled(Frames, Frames);
        long clock = Misses("clock", options, pages) - cold;
        Assert.InRange(Misses(name, options, pages) - cold, 0, clock / 2);
    }

    [Fact]
    public void Misses_OfClock_AreCloseToThoseOfLru()
    {
        for (int seed = 0; seed < 5; seed++)
        {
            int[] pages = PageStreams.Zipf(TestSeed.Case(35_000 + seed), 400, 40_000);
            double lru = Misses("lru", SimulationOptions.Exact(Frames), pages);
            Assert.InRange(Misses("clock", SimulationOptions.Exact(Frames), pages) / lru, 0.9, 1.1);
        }
    }

    [Theory]
    [InlineData("lru", 1.15)]
    [InlineData("2q", 1.15)]
    [InlineData("arc", 1.15)]
    public void Misses_WithAScanInAMemoryfulOfAccesses_AreCloseToThoseOfExactKnowledge(string name, double most)
    {
        int[] pages = PageStreams.Zipf(TestSeed.Case(36_000), 400, 40_000);
        double exact = Misses(name, SimulationOptions.Exact(Frames), pages);
        Assert.InRange(Misses(name, SimulationOptions.Sampled(Frames, Frames), pages) / exact, 0.9, most);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Misses_OfAnyStream_AreAtLeastThoseOfOpt(string name)
    {
        foreach ((int seed, int frames, int[] pages, long best) in s_optimal.Value)
        {
            foreach (SimulationOptions options in (SimulationOptions[])
                [SimulationOptions.Exact(frames), SimulationOptions.Sampled(frames, 3 * frames), SimulationOptions.Unscanned(frames)])
                Assert.True(Misses(name, options, pages) >= best, $"seed {TestSeed.Base}, case {seed}");
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Misses_WhereAllFits_AreTheFirstTouches(string name) =>
        Assert.Equal(Frames, Misses(name, SimulationOptions.Sampled(Frames, 50), PageStreams.Loop(Frames, 3000)));

    [Theory]
    [MemberData(nameof(All))]
    public void Run_Twice_CountsTheSame(string name)
    {
        int[] pages = PageStreams.Zipf(TestSeed.Case(38_000), 400, 20_000);
        Assert.Equal(Counts(), Counts());

        (long, long, long) Counts()
        {
            ReplacementSimulator simulator = Run(name, SimulationOptions.Sampled(Frames, 300), pages);
            return (simulator.Misses, simulator.FlagsTested, simulator.FlagsCleared);
        }
    }

    [Fact]
    public void Random_OtherSeed_ChoosesOthers()
    {
        int[] pages = PageStreams.Zipf(TestSeed.Case(38_000), 400, 20_000);
        SimulationOptions options = SimulationOptions.Exact(Frames);
        Assert.NotEqual(Misses("random", options, pages), Misses("random", options with { Seed = 2 }, pages));
    }

    private static long Misses(string name, SimulationOptions options, int[] pages) => Run(name, options, pages).Misses;

    private static ReplacementSimulator Run(string name, SimulationOptions options, int[] pages)
    {
        var simulator = new ReplacementSimulator(PageReplacement.Find(name)!, options, pages);
        simulator.Run(pages);
        return simulator;
    }
}
