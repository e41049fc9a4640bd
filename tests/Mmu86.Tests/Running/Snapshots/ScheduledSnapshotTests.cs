using System.Text;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Scenarios;
using Mmu86.Memory;
using Mmu86.Tests.Hypervisor;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running.Snapshots;

/// <summary>Machines beside others, kept at a barrier, destroyed, and gone on with on the same host or another one.</summary>
public sealed class ScheduledSnapshotTests
{
    private const ulong Enough = 64UL << 20, Scarce = 2UL << 20;
    private const int BarriersBefore = 20;

    private static readonly string[] s_guests = ["gups 400 20000", "hash-table 4000", "quicksort 8000", "kernel-demand-paging"];

    [Theory]
    [InlineData(PageSize.Size4K, 4)]
    [InlineData(PageSize.Size2M, 3)] // the fourth has pages joined at barriers, which lie within a nanosecond of those of the other run, and not at the same instruction
    public void Machines_RestoredOnAnotherHost_EndWithTheSameOutputsAndCounts(PageSize hostPage, int countsCompared)
    {
        Result straight = Run(Enough, hostPage, sharing: false, Cut.None);
        Result cut = Run(Enough, hostPage, sharing: false, Cut.ToAnotherHost);
        Assert.Equal(straight.Outputs, cut.Outputs);
        Assert.Equal(straight.Exits, cut.Exits);
        Assert.Equal(straight.Counts[..countsCompared], cut.Counts[..countsCompared]);
    }

    [Fact]
    public void Machines_RestoredOnTheSameHost_EndWithTheSameOutputsAndCounts()
    {
        Result straight = Run(Enough, PageSize.Size4K, sharing: false, Cut.None);
        Result cut = Run(Enough, PageSize.Size4K, sharing: false, Cut.OnTheSameHost);
        Assert.Equal(straight.Outputs, cut.Outputs);
        Assert.Equal(straight.Counts, cut.Counts);
    }

    // What is evicted and shared later depends on more than the machine: outputs do not.
    [Theory]
    [InlineData(Scarce, false)]
    [InlineData(Enough, true)]
    public void Machines_WithSwappedAndSharedFrames_EndWithTheSameOutputs(ulong hostBytes, bool sharing)
    {
        Result straight = Run(hostBytes, PageSize.Size4K, sharing, Cut.None);
        Result cut = Run(hostBytes, PageSize.Size4K, sharing, Cut.ToAnotherHost);
        Assert.Equal(straight.Outputs, cut.Outputs);
        Assert.Equal(straight.Exits, cut.Exits);
        Assert.Equal(hostBytes != Enough, cut.SwappedAtCut > 0);
        Assert.Equal(sharing, cut.SharedAtCut > 0);
    }

    private enum Cut
    {
        None,
        OnTheSameHost,
        ToAnotherHost,
    }

    private sealed record Result(string[] Outputs, string[] Exits, string[] Counts, ulong SwappedAtCut, ulong SharedAtCut);

    private static Result Run(ulong hostBytes, PageSize hostPage, bool sharing, Cut cut)
    {
        string[] guests = sharing ? [.. s_guests, .. s_guests] : s_guests;
        var world = new World(guests, hostPage, sharing);
        using VirtualHost first = NewHost(hostBytes);
        HostScheduler scheduler = world.Schedule(first, snapshots: null);
        for (int barrier = 0; barrier < BarriersBefore; barrier++)
            Assert.True(scheduler.RunQuantum());
        if (cut == Cut.None)
        {
            RunToEnd(scheduler, first);
            return world.Result(0, 0);
        }

        ulong swapped = 0, shared = 0;
        byte[]?[] snapshots = new byte[guests.Length][];
        for (int i = 0; i < guests.Length; i++)
        {
            if (scheduler.Machines[i].Guest is not ScenarioGuest guest)
                continue;
            swapped += guest.Machine.Memory.SwappedFrames;
            shared += guest.Machine.Memory.SharedFrames;
            var stream = new MemoryStream();
            var writer = new SnapshotWriter(stream);
            guest.Save(writer);
            writer.Complete();
            snapshots[i] = stream.ToArray();
        }

        Assert.Contains(snapshots, snapshot => snapshot is not null);
        world.IsMoving = true;
        scheduler.Abandon("moved");
        world.IsMoving = false;
        Assert.Equal(0UL, first.Frames.FramesUsed);
        Assert.Equal(0, world.Stored);
        if (cut == Cut.OnTheSameHost)
        {
            RunToEnd(world.Schedule(first, snapshots), first);
        }
        else
        {
            // Other frames than those that they had: some are taken.
            using VirtualHost second = NewHost(hostBytes + (1 << 20));
            for (int i = 0; i < 37; i++)
                Assert.True(second.Frames.TryTake(0xFFF0, PageSize.Size4K, out _));
            RunToEnd(world.Schedule(second, snapshots), second, taken: 37);
        }

        return world.Result(swapped, shared);
    }

    private static VirtualHost NewHost(ulong bytes) =>
        new(new HostMemory(bytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = true });

    private static void RunToEnd(HostScheduler scheduler, VirtualHost host, ulong taken = 0)
    {
        while (scheduler.RunQuantum())
        {
        }

        Assert.Equal(taken, host.Frames.FramesUsed);
    }

    private sealed class World(string[] guests, PageSize hostPage, bool sharing)
    {
        private readonly MemoryStream[] _outputs = [.. guests.Select(_ => new MemoryStream())];
        private readonly string[] _exits = new string[guests.Length];
        private readonly string[] _counts = new string[guests.Length];
        private readonly List<TimedMemoryStore> _stores = [];

        public bool IsMoving { get; set; }

        public int Stored => _stores.Sum(store => store.Pages.Count);

        public HostScheduler Schedule(VirtualHost host, byte[]?[]? snapshots)
        {
            var scheduler = new HostScheduler(host, new HostSchedulerOptions
            {
                QuantumNanoseconds = HostSchedulerOptions.DefaultQuantumNanoseconds / 50,
                Threads = 1,
                Order = ReclaimOrder.Largest,
                IdleTaxPercent = 0,
                Sharing = sharing ? PageSharingOptions.At(400_000_000, 1) : null,
            });
            for (int i = 0; i < guests.Length; i++)
            {
                if (snapshots is null || snapshots[i] is not null)
                    scheduler.Add(Machine(host, i, snapshots?[i]));
            }

            return scheduler;
        }

        public Result Result(ulong swapped, ulong shared) =>
            new([.. _outputs.Select(output => Encoding.ASCII.GetString(output.ToArray()))], _exits, _counts, swapped, shared);

        private ScheduledMachineOptions Machine(VirtualHost host, int index, byte[]? snapshot)
        {
            RunOptions options = SmallRuns.Options(guests[index], PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K) with { HostPage = hostPage };
            var store = new TimedMemoryStore(1000);
            _stores.Add(store);
            var chooser = new VictimChooser(PageReplacement.Find("clock")!.Create(ReplacementOptions.ForGuest(options.MemoryBytes, 1)), sampler: null);
            var shared = new SharedHost(host, store, chooser);
            var output = new GuestOutput(_outputs[index], _outputs[index], _outputs[index]);
            return new ScheduledMachineOptions
            {
                Name = guests[index],
                Create = () => snapshot is null
                    ? new ScenarioGuest(shared, options, output, Note)
                    : new ScenarioGuest(shared, new SnapshotReader(new MemoryStream(snapshot)), output, Note),
                StartNanoseconds = 0,
                Shares = 1000,
                LeastFrames = 0,
                MostFrames = ulong.MaxValue,
                Store = store,
                Chooser = chooser,
                Sampler = null,
            };

            void Note(ScenarioGuest guest)
            {
                if (IsMoving)
                    return;
                _exits[index] = $"{guest.Exit!.Kind} {guest.Exit.Status} {guest.Exit.Detail}";
                _counts[index] = SmallRuns.Text(new RunCountsReader(options.Machine, options.Paging, options.Fidelity)
                    .Read(guest.Guest.Vcpu.Counters, guest.Guest.Vcpu.Statistics, null));
            }
        }
    }
}
