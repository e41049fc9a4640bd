using Mmu86.Hypervisor.Replacement;
using Mmu86.TestKit;
using Mmu86.TestKit.Hypervisor;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>Where flags show every reference, each policy evicts what its paper evicts, page by page.</summary>
public sealed class LiteralModelTests
{
    [Theory]
    [InlineData("fifo")]
    [InlineData("clock")]
    [InlineData("lru")]
    [InlineData("2q")]
    [InlineData("arc")]
    public void Victims_WithAScanAfterEachAccess_AreThoseOfThePaper(string name)
    {
        for (int seed = 0; seed < TestTiers.Pick(60, 300, 3000); seed++)
        {
            Random random = TestSeed.Case(31_000 + seed);
            int frames = random.Next(1, 50);
            int[] pages = Mixture(random, frames);
            var simulator = new ReplacementSimulator(PageReplacement.Find(name)!, SimulationOptions.Exact(frames), pages);
            ILiteralPolicy literal = Literal(name, frames);
            for (int at = 0; at < pages.Length; at++)
            {
                simulator.Access(pages[at], isStore: false);
                int expected = literal.Access(pages[at]);
                if (expected != simulator.LastVictim)
                    Assert.Fail($"seed {TestSeed.Base}, case {seed}: reference {at} of {frames} frames evicts {simulator.LastVictim}, not {expected}");
            }

            simulator.Policy.Verify();
        }
    }

    [Fact]
    public void Misses_OfOpt_AreThoseOfBeladysRule()
    {
        for (int seed = 0; seed < TestTiers.Pick(40, 200, 1000); seed++)
        {
            Random random = TestSeed.Case(32_000 + seed);
            int frames = random.Next(1, 50);
            int[] pages = Mixture(random, frames);
            var simulator = new ReplacementSimulator(PageReplacement.Find("opt")!, SimulationOptions.Exact(frames), pages);
            simulator.Run(pages);
            simulator.Policy.Verify();
            Assert.True(LiteralOptimal.Misses(pages, frames) == simulator.Misses, $"seed {TestSeed.Base}, case {seed}");
        }
    }

    private static int[] Mixture(Random random, int frames) =>
    [
        .. PageStreams.Uniform(random, (2 * frames) + 1, 600),
        .. PageStreams.Loop(frames + random.Next(1, 4), 300),
        .. PageStreams.HotWithScans(random, Math.Max(1, frames / 2), 800),
        .. PageStreams.Zipf(random, 4 * frames, 1000),
        .. PageStreams.LoopBesideHot(random, frames, Math.Max(1, frames / 3), 600),
    ];

    private static ILiteralPolicy Literal(string name, int frames) => name switch
    {
        "fifo" => new LiteralFifo(frames),
        "clock" => new LiteralClock(frames),
        "lru" => new LiteralLru(frames),
        "2q" => new LiteralTwoQueue(frames),
        "arc" => new LiteralArc(frames),
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };
}
