using Mmu86.TestKit.Hypervisor;

namespace Mmu86.Bench.Replacement;

/// <summary>A stream of references with its name.</summary>
internal sealed record SimulatedStream(string Name, int[] Pages)
{
    /// <summary>What the literature tries policies on, in sizes that a memory of so many frames makes hard.</summary>
    public static SimulatedStream[] All(int frames, int length, int seed) =>
    [
        new("uniform", PageStreams.Uniform(new Random(seed), 2 * frames, length)),
        new("loop", PageStreams.Loop(frames * 11 / 10, length)),
        new("zipf", PageStreams.Zipf(new Random(seed), 10 * frames, length)),
        new("hot+bursts", PageStreams.HotWithScans(new Random(seed), frames * 7 / 10, length)),
        new("hot+scan", PageStreams.HotBesideScan(new Random(seed), frames * 6 / 10, 2, length)),
        new("hot+loop", PageStreams.LoopBesideHot(new Random(seed), 2 * frames, frames / 2, length)),
        new("phases", PageStreams.Phases(new Random(seed), 20 * frames, frames * 9 / 10, length)),
    ];
}
