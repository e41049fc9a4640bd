using Mmu86.Hypervisor.Replacement;
using Mmu86.Lab;
using Mmu86.Loaders;
using Mmu86.TestKit;
using Mmu86.TestKit.Hypervisor;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>What every policy promises its owner: bounded work, no allocation, and a refusal of calls that contradict the books.</summary>
public sealed class PolicyContractTests
{
    private const int Frames = 500;

    public static TheoryData<string> All => [.. PageReplacement.All.Select(policy => policy.Name)];

    // Flags looked at for each decision, and beyond that for each flag found set and cleared, where nothing is scanned.
    public static TheoryData<string, int, int> Bounds => new()
    {
        { "fifo", 0, 0 },
        { "clock", 1, 1 },
        { "lru", 1, 1 },
        { "2q", 1, 1 },
        { "arc", 1, 1 },
        { "wsclock", 8, 0 },
        { "mglru", 9, 64 },
        { "random", 0, 0 },
        { "opt", 0, 0 },
    };

    [Theory]
    [MemberData(nameof(Bounds))]
    public void Decision_WithoutScans_LooksAtBoundedFlags(string name, int perDecision, int perFlagCleared)
    {
        foreach (int[] pages in (int[][])[PageStreams.Zipf(TestSeed.Case(50_000), 2000, 40_000), PageStreams.Uniform(TestSeed.Case(50_001), 600, 40_000)])
        {
            var simulator = new ReplacementSimulator(PageReplacement.Find(name)!, SimulationOptions.Unscanned(Frames), pages);
            simulator.Run(pages);
            Assert.InRange(simulator.FlagsTested, 0, (perDecision * simulator.Evictions) + (perFlagCleared * simulator.FlagsCleared));
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Tick_OfAScanPeriod_LooksAtEachFrameAtMostOnce(string name)
    {
        var flags = new SettableFlags();
        IReplacementPolicy policy = Filled(name, 3000);
        policy.Tick(flags, ReplacementOptions.DefaultScanPeriodNanoseconds);
        Assert.InRange(flags.Tested, 0, 3000);
        policy.Tick(flags, 2 * ReplacementOptions.DefaultScanPeriodNanoseconds);
        Assert.InRange(flags.Tested, 0, 6000);
    }

    [Fact]
    public void Tick_OfALargeMemory_KeepsToTheRate()
    {
        var flags = new SettableFlags();
        IReplacementPolicy policy = Filled("lru", 100_000);
        for (ulong now = 0; now <= 50_000_000; now += 70_000)
            policy.Tick(flags, now);
        Assert.InRange(flags.Tested, 49 * ReplacementOptions.DefaultFramesScannedPerMillisecond, 50 * ReplacementOptions.DefaultFramesScannedPerMillisecond);
    }

    [Theory]
    [InlineData(64UL << 20)]
    [InlineData(5UL << 30)]
    [InlineData(RunOptions.MaximumMemoryBytes)]
    public void Books_OfAGuest_ReachToItsLastFrameAndNoFarther(ulong memory)
    {
        IReplacementPolicy policy = PageReplacement.Find("clock")!.Create(ReplacementOptions.ForGuest(memory, 1));
        GuestFrameNumber top = new GuestPhysicalLayout(memory).Top.Frame;
        var last = new GuestFrameNumber(top.Value - 1);
        policy.Inserted(last, Insertion.Populated);
        Assert.True(policy.TryChooseVictim(new SettableFlags(), null, out GuestFrameNumber victim));
        Assert.Equal(last, victim);
        Assert.Throws<InvalidOperationException>(() => policy.Inserted(top, Insertion.Populated));
    }

    [Theory]
    [InlineData("lru")]
    [InlineData("arc")]
    [InlineData("mglru")]
    public void Tick_OfAScanPeriod_FindsFramesThatAreFarApart(string name)
    {
        // Books have nothing between them: first and last frames of pieces, and behind gaps.
        GuestFrameNumber[] frames = [.. new ulong[] { 511, 512, 5 * 512, (5 * 512) + 63, 9_999 * 512, 200_000_001 }.Select(frame => new GuestFrameNumber(frame))];
        IReplacementPolicy policy = PageReplacement.Find(name)!.Create(ReplacementOptions.Default(frames.Length, 1));
        foreach (GuestFrameNumber frame in frames)
            policy.Inserted(frame, Insertion.Populated);
        var flags = new SettableFlags();
        flags.Accessed.UnionWith(frames);
        policy.Tick(flags, ReplacementOptions.DefaultScanPeriodNanoseconds);
        Assert.Empty(flags.Accessed);
        Assert.Equal(frames.Length, flags.Tested);
        policy.Verify();
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Run_InSteadyState_AllocatesNothing(string name)
    {
        int[] pages = PageStreams.Zipf(TestSeed.Case(51_000), 3000, 40_000);
        var simulator = new ReplacementSimulator(PageReplacement.Find(name)!, SimulationOptions.Sampled(Frames, 800), pages);
        simulator.Run(pages.AsSpan(0, 20_000));

        long before = GC.GetAllocatedBytesForCurrentThread();
        simulator.Run(pages.AsSpan(20_000));
        long after = GC.GetAllocatedBytesForCurrentThread();

        Assert.True(simulator.Evictions > 1000);
        Assert.Equal(before, after);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Calls_ThatContradictTheBooks_AreRefused(string name)
    {
        IReplacementPolicy policy = Filled(name, 3);
        GuestFrameNumber there = new GuestFrameNumber(2);
        GuestFrameNumber absent = new GuestFrameNumber(1000);
        Assert.Throws<InvalidOperationException>(() => policy.Inserted(there, Insertion.Populated));
        Assert.Throws<InvalidOperationException>(() => policy.Inserted(absent, Insertion.Populated));
        Assert.Throws<InvalidOperationException>(() => policy.Removed(absent, Removal.Discarded));
        Assert.Throws<InvalidOperationException>(() => policy.Pin(absent));
        Assert.Throws<InvalidOperationException>(() => policy.Unpin(there));
        policy.Pin(there);
        Assert.Throws<InvalidOperationException>(() => policy.Pin(there));
        Assert.Throws<InvalidOperationException>(() => policy.Removed(there, Removal.Evicted));
        policy.Tick(new SettableFlags(), 10);
        Assert.Throws<ArgumentOutOfRangeException>(() => policy.Tick(new SettableFlags(), 9));
        policy.Removed(there, Removal.Discarded);
        policy.Verify();
        Assert.Equal((2, 0), (policy.Count, policy.PinnedCount));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Choice_AmongNone_IsNone(string name)
    {
        IReplacementPolicy policy = Filled(name, 2);
        policy.Pin(new GuestFrameNumber(0));
        policy.Pin(new GuestFrameNumber(1));
        Assert.False(policy.TryChooseVictim(new SettableFlags(), null, out _));
        policy.Unpin(new GuestFrameNumber(1));
        Assert.True(policy.TryChooseVictim(new SettableFlags(), null, out GuestFrameNumber victim));
        Assert.Equal(new GuestFrameNumber(1), victim);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Inserted_FramesFarApart_TakeRoomForTheirNeighboursOnly(string name)
    {
        const ulong Last = (64UL << 30 >> 12) - 1;
        IReplacementPolicy policy = Filled(name, 1);
        policy.Removed(default, Removal.Discarded);
        long before = GC.GetAllocatedBytesForCurrentThread();
        policy.Inserted(new GuestFrameNumber(Last), Insertion.Populated);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4 << 20);
        policy.Tick(new SettableFlags(), ReplacementOptions.DefaultScanPeriodNanoseconds);
        Assert.True(policy.TryChooseVictim(new SettableFlags(), null, out GuestFrameNumber victim));
        Assert.Equal(Last, victim.Value);
        policy.Verify();
    }

    [Fact]
    public void Create_OptWithoutItsFuture_SaysWhatIsMissing()
    {
        ArgumentException refusal = Assert.Throws<ArgumentException>(() => PageReplacement.Find("opt")!.Create(ReplacementOptions.Default(10, 1)));
        Assert.Contains("needs the recorded references", refusal.Message);
    }

    [Fact]
    public void Create_SizesOutOfRange_AreRefused()
    {
        PageReplacement fifo = PageReplacement.Find("fifo")!;
        ReplacementOptions good = ReplacementOptions.Default(10, 1);
        Assert.Throws<ArgumentOutOfRangeException>(() => fifo.Create(good with { MaxResidentFrames = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => fifo.Create(good with { FrameLimit = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => fifo.Create(good with { MaxResidentFrames = ReplacementOptions.MostFrames + 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => fifo.Create(good with { FrameLimit = ReplacementOptions.MostFrameLimit + 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => fifo.Create(good with { ScanPeriodNanoseconds = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => fifo.Create(good with { FramesScannedPerMillisecond = 0 }));
    }

    [Fact]
    public void Names_OfTheCatalogue_AreThosePromised()
    {
        Assert.Equal(["fifo", "clock", "lru", "2q", "arc", "wsclock", "mglru", "random", "opt"], PageReplacement.All.Select(policy => policy.Name));
        Assert.Null(PageReplacement.Find("LRU"));
        Assert.All(PageReplacement.All.Where(policy => !policy.NeedsFuture),
            policy => Assert.Equal(policy.Name, policy.Create(ReplacementOptions.Default(10, 1)).Name));
    }

    private static IReplacementPolicy Filled(string name, int frames)
    {
        IReplacementPolicy policy = PageReplacement.Find(name)!.Create(ReplacementOptions.Default(frames, 1) with { Future = new RecordedFuture([]) });
        for (int frame = 0; frame < frames; frame++)
            policy.Inserted(new GuestFrameNumber((ulong)frame), Insertion.Populated);
        return policy;
    }
}
