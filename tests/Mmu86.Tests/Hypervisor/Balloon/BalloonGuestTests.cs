using Mmu86.GuestPrograms;
using Mmu86.Hypervisor.Balloon;
using Mmu86.Lab;
using Mmu86.Lab.Running;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>A kernel that was written by the specification alone, with its drivers, in virtual machines whose balloons move.</summary>
public sealed class BalloonGuestTests
{
    private const ulong MemoryBytes = 16 << 20;
    private const ulong HostBytes = 64 << 20;
    private const string Guest = "memory-kernel random 2500 12000 40 10 3";
    private const string Hog = "memory-kernel skewed 5000 9000 30 10 5";

    [Fact]
    public void Target_AboveWhatIsFree_MakesTheGuestPageOutByItself()
    {
        BalloonRun plain = Run(1, (_, _, _) => { }, Guest);
        BalloonRun squeezed = Run(1, (control, _, now) => control.TargetFrames = now > 5_000 ? 2000UL : 0, Guest);

        Assert.Equal([Expected(Guest)], plain.Outputs);
        Assert.Equal(plain.Outputs, squeezed.Outputs);
        Assert.Equal(plain.Exits, squeezed.Exits);
        Assert.Equal((0UL, 2000UL), (plain.Peaks[0].BalloonedFrames, squeezed.Peaks[0].BalloonedFrames));
        Assert.Contains(" written 0,", plain.DebugConsoles[0], StringComparison.Ordinal);
        Assert.DoesNotContain(" written 0,", squeezed.DebugConsoles[0], StringComparison.Ordinal);
        Assert.Equal(0UL, squeezed.Memory[0].BalloonedTouched); // it tells the host
        AssertHonest(squeezed.Counts[0]);
    }

    [Fact]
    public void Target_GoesUpAndDown_GivesFramesBack()
    {
        BalloonRun run = Run(1, (control, _, now) => control.TargetFrames = now / 20_000 % 2 == 0 ? 100UL : 1500UL, Guest);

        Assert.Equal([Expected(Guest)], run.Outputs);
        Assert.True(run.Memory[0].Deflated > 1000, $"{run.Memory[0].Deflated} frames came back");
        AssertHonest(run.Counts[0]);
    }

    [Fact]
    public void Statistics_Asked_SayWhatTheGuestHas()
    {
        ulong last = 0;
        ulong total = 0;
        BalloonRun run = Run(1, (control, _, _) =>
        {
            control.RequestStatistics();
            if (control.Statistics is not { FreeBytes: { } free, TotalBytes: { } all })
                return;
            last = free;
            total = Math.Max(total, all);
        }, Guest);

        Assert.True(run.Counts[0].StatisticsReceived > 10, $"{run.Counts[0].StatisticsReceived} were received");
        Assert.InRange(total, MemoryBytes - (2UL << 20), MemoryBytes); // without what the kernel itself takes
        Assert.InRange(last, 1UL, total - (2500UL << 12)); // its program has touched its pages
    }

    [Fact]
    public void HostTooSmall_WithBalloons_SwapsLessAndPrintsTheSame()
    {
        const ulong Scarce = 20 << 20;
        string[] guests = [Guest, "memory-kernel random 400 6000 60 10 9", Hog];
        BalloonRun swapped = Run(1, (_, _, _) => { }, guests, Scarce);
        BalloonRun ballooned = Run(1, Policy, guests, Scarce);

        Assert.Equal(guests.Select(Expected), swapped.Outputs);
        Assert.Equal(guests.Select(Expected), ballooned.Outputs);
        ulong bySwap = swapped.Memory[0].Stored + swapped.Memory[1].Stored + swapped.Memory[2].Stored;
        ulong byBalloon = ballooned.Memory[0].Stored + ballooned.Memory[1].Stored + ballooned.Memory[2].Stored;
        Assert.True(byBalloon < bySwap / 2, $"{byBalloon} pages with balloons, {bySwap} without");

        // What each of three threads does beside the others changes nothing.
        BalloonRun threads = Run(3, Policy, guests, Scarce);
        Assert.Equal(ballooned.Log, threads.Log);
        Assert.Equal(ballooned.Outputs, threads.Outputs);

        static void Policy(BalloonControl control, int guest, ulong now) => control.TargetFrames = 2500;
    }

    [Fact]
    public void Run_Alone_HasTheDevicesToo()
    {
        RunTrace trace = SmallRuns.Run(Options(Hog), null, null);

        Assert.Equal(Expected(Hog), trace.Output);
    }

    private static void AssertHonest(BalloonCounts counts) =>
        Assert.Equal((0UL, 0UL, 0UL, 0UL, 0UL),
            (counts.OutsideMemory, counts.InflatedTwice, counts.DeflatedUnknown, counts.ReportsRefused, counts.BuffersRefused));

    private static BalloonRun Run(int threads, Action<BalloonControl, int, ulong> policy, string guest) => Run(threads, policy, [guest], HostBytes);

    private static BalloonRun Run(int threads, Action<BalloonControl, int, ulong> policy, string[] guests, ulong hostBytes) =>
        BalloonRun.Run(hostBytes, threads, [.. guests.Select(Options)], policy);

    private static RunOptions Options(string guest) =>
        SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K) with { MemoryBytes = MemoryBytes, HostPage = PageSize.Size2M };

    private static string Expected(string guest)
    {
        string[] words = guest.Split(' ');
        return GuestCatalogue.Find(words[0])!.ExpectedOutput(new GuestBuildOptions { Arguments = words[1..], GuestPage = "4k" });
    }
}
