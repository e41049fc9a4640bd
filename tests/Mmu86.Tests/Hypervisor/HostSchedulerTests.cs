using System.Text;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Lab;
using Mmu86.Lab.Running;
using Mmu86.Lab.Scenarios;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

[LongTests]
public sealed class HostSchedulerTests
{
    private const ulong Enough = 64 << 20;
    private const ulong Scarce = 3 << 20;
    private const ulong SwapNanoseconds = 60_000;

    private static readonly string[] s_guests = ["gups 400 40000", "quicksort 30000", "hash-table 8000", "kernel-demand-paging"];

    [Fact]
    public void RunQuantum_HostIsTooSmall_EveryGuestPrintsWhatItPrintsWithEnough()
    {
        Outcome enough = Run(Enough, threads: 1, s_guests);

        Outcome scarce = Run(Scarce, threads: 1, s_guests);

        Assert.Equal(enough.Outputs, scarce.Outputs);
        Assert.Equal(enough.Exits, scarce.Exits);
        Assert.DoesNotContain("", enough.Outputs);
        Assert.Equal(0UL, enough.SwappedIn);
        Assert.True(scarce.SwappedIn > 500, $"{scarce.SwappedIn} pages came back");
        Assert.True(scarce.Nanoseconds > enough.Nanoseconds);
        Assert.Equal((0UL, 0), (scarce.FramesOwned, scarce.PagesStored));
    }

    [Fact]
    public void RunQuantum_OnSeveralThreads_GivesTheSameToTheLastCount()
    {
        Outcome one = Run(Scarce, threads: 1, s_guests);
        Outcome four = Run(Scarce, threads: 4, s_guests);

        Assert.Equal(one.Log, four.Log);
        Assert.Equal(one.Outputs, four.Outputs);
    }

    [Fact]
    public void RunQuantum_StoreIsFull_GivesUpWhoCannotGoOnAndFinishesTheOthers()
    {
        Outcome full = Run(Scarce, threads: 1, s_guests, capacity: 40);

        Assert.Contains(full.Exits, exit => exit.StartsWith("Limit 75 the host has", StringComparison.Ordinal));
        Assert.Contains(full.Exits, exit => exit.StartsWith("Exited 0", StringComparison.Ordinal));
        Assert.Equal((0UL, 0), (full.FramesOwned, full.PagesStored));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void RunQuantum_NobodyCanGoOn_KeepsWhoHasNoMoreThanItWasPromised(int promised)
    {
        // Side by side they fill the host when both still want more.
        Outcome full = Run(Scarce, threads: 1, ["gups 600 40000", "gups 400 40000"], capacity: 0, start: 0, least: index => index == promised ? 750UL : 0);

        Assert.StartsWith("Exited 0", full.Exits[promised], StringComparison.Ordinal);
        Assert.StartsWith("Limit 75 the host has too few frames", full.Exits[1 - promised], StringComparison.Ordinal);
        Assert.Equal((0UL, 0), (full.FramesOwned, full.PagesStored));
    }

    [Fact]
    public void RunQuantum_PageComesBackWrong_EndsThatMachineAlone()
    {
        Outcome broken = Run(Scarce, threads: 1, s_guests, corrupt: 3);

        Assert.StartsWith("Fault 71 machine check: the page at G:0x", broken.Exits[3], StringComparison.Ordinal);
        Assert.All(broken.Exits.Where((_, index) => index != 3), exit => Assert.StartsWith("Exited", exit, StringComparison.Ordinal));
        Assert.Equal((0UL, 0), (broken.FramesOwned, broken.PagesStored));
    }

    [Fact]
    public void RunQuantum_LargePagesAndPlenty_JoinsWhatIsWhole()
    {
        Outcome small = Run(Enough, threads: 1, ["gups 2000 60000"]);
        Outcome large = Run(Enough, threads: 1, ["gups 2000 60000"], page: PageSize.Size2M);

        Assert.Equal(small.Outputs, large.Outputs);
        Assert.Equal(0UL, small.Joins);
        Assert.True(large.Joins > 2);
    }

    [SkippableTheory]
    [InlineData(Enough)]
    [InlineData(Scarce)]
    public void RunQuantum_ClonesShare_PrintWhatTheyPrintApart(ulong hostBytes)
    {
        // Most frames are stored and found equal again and again. The next test has the scarce host in every tier.
        TestTiers.Require(hostBytes == Scarce ? TestTier.Ci : TestTier.Default);
        string[] clones = [.. Enumerable.Repeat("hash-table 8000", 3), .. Enumerable.Repeat("kernel-demand-paging", 2)];
        Outcome apart = Run(hostBytes, threads: 1, clones);

        Outcome sharing = Run(hostBytes, threads: 1, clones, scan: 4_000_000);

        Assert.Equal(apart.Outputs, sharing.Outputs);
        Assert.Equal(apart.Exits, sharing.Exits);
        Assert.Equal(0UL, apart.MostSaved);
        Assert.True(sharing.MostSaved > 100, $"{sharing.MostSaved} frames saved");
        Assert.True(sharing.SharingBroken > 50, $"{sharing.SharingBroken} broken");
        Assert.Equal((0UL, 0), (sharing.FramesOwned, sharing.PagesStored));
    }

    [Fact]
    public void RunQuantum_ClonesShareOnSeveralThreads_GivesTheSameToTheLastCount()
    {
        string[] clones = [.. Enumerable.Repeat("hash-table 8000", 2), "quicksort 30000", "kernel-demand-paging", "kernel-demand-paging"];

        Outcome one = Run(Scarce, threads: 1, clones, scan: 2_000_000);
        Outcome two = Run(Scarce, threads: 2, clones, scan: 2_000_000);

        Assert.Equal(one.Log, two.Log);
        Assert.Equal(one.Outputs, two.Outputs);
        Assert.True(one.MostSaved > 50);
    }

    private sealed record Outcome(
        string[] Outputs, string[] Exits, string Log, ulong SwappedIn, ulong Joins, ulong Nanoseconds, ulong FramesOwned, int PagesStored,
        ulong MostSaved, ulong SharingBroken);

    private static Outcome Run(ulong hostBytes, int threads, string[] guests, int capacity = int.MaxValue, int corrupt = -1, PageSize page = PageSize.Size4K,
        ulong scan = 0, ulong start = 300_000, Func<int, ulong>? least = null)
    {
        using var host = new VirtualHost(new HostMemory(hostBytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = true });
        var scheduler = new HostScheduler(host, new HostSchedulerOptions
        {
            QuantumNanoseconds = HostSchedulerOptions.DefaultQuantumNanoseconds / 4,
            Threads = threads,
            Order = ReclaimOrder.Largest,
            Sharing = scan == 0 ? null : PageSharingOptions.At(scan, 1),
            IdleTaxPercent = 0,
        });
        MemoryStream[] outputs = [.. guests.Select(_ => new MemoryStream())];
        string[] exits = new string[guests.Length];
        List<TimedMemoryStore> stores = [];
        ulong swappedIn = 0;
        ulong joins = 0;
        ulong broken = 0;
        for (int i = 0; i < guests.Length; i++)
        {
            int index = i;
            var store = new TimedMemoryStore(SwapNanoseconds);
            store.Pages.Capacity = capacity;
            if (corrupt == i)
                store.Pages.Answer = PageLoad.Corrupt;
            stores.Add(store);
            RunOptions options = SmallRuns.Options(guests[i], PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K) with { HostPage = page };
            var chooser = new VictimChooser(PageReplacement.Find("clock")!.Create(ReplacementOptions.ForGuest(options.MemoryBytes, 1)), null);
            scheduler.Add(new ScheduledMachineOptions
            {
                Name = guests[i],
                Create = () => new ScenarioGuest(new SharedHost(host, store, chooser), options, new GuestOutput(outputs[index], outputs[index], outputs[index]), guest =>
                {
                    exits[index] = $"{guest.Exit!.Kind} {guest.Exit.Status} {guest.Exit.Detail}";
                    swappedIn += guest.Machine.Memory.Counts.SwappedIn;
                    joins += guest.Machine.Memory.Counts.Joins;
                    broken += guest.Machine.Memory.Counts.SharingBroken;
                }),
                StartNanoseconds = (ulong)i * start,
                Shares = 1000,
                LeastFrames = least?.Invoke(i) ?? 0,
                MostFrames = ulong.MaxValue,
                Store = store,
                Sampler = null,
                Chooser = chooser,
            });
        }

        var log = new StringBuilder();
        while (scheduler.RunQuantum())
        {
            log.Append(scheduler.Now).Append(' ').Append(scheduler.State).Append(' ').Append(host.Frames.FramesFree);
            foreach (ScheduledMachine machine in scheduler.Machines)
                log.Append(' ').Append(machine.Time).Append(' ').Append(machine.Instructions).Append(' ').Append(machine.Usage);
            log.Append('\n');
            SharingVerifier.Verify(host, scheduler.Machines.Where(machine => machine.Guest is not null).Select(machine => machine.Guest!.Machine), scheduler.Sharing);
        }

        return new Outcome(
            [.. outputs.Select(output => Encoding.ASCII.GetString(output.ToArray()))], exits, log.ToString(), swappedIn, joins,
            scheduler.Machines.Max(machine => machine.Time), host.Frames.FramesUsed, stores.Sum(store => store.Pages.Count),
            host.Frames.MostFramesSaved, broken);
    }
}
