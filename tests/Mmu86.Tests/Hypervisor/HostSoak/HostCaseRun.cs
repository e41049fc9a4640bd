using System.Text;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Hypervisor.Swap;
using Mmu86.Lab;
using Mmu86.Lab.Running;
using Mmu86.Lab.Scenarios;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.TestKit.Swap;
using Mmu86.Tests.Hypervisor.Swap;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.HostSoak;

/// <summary>Runs a <see cref="HostCase"/> to the end of its last machine.</summary>
internal sealed class HostCaseRun
{
    private readonly HostCase _case;
    private readonly MemoryStream[] _outputs;
    private readonly string?[] _exits;
    private readonly RememberingPageStore?[] _stores;
    private readonly StringBuilder _log = new();
    private ulong _swappedIn;
    private ulong _ballooned;
    private ulong _deflated;

    private HostCaseRun(HostCase what)
    {
        _case = what;
        _outputs = [.. what.Machines.Select(_ => new MemoryStream())];
        _exits = new string?[what.Machines.Count];
        _stores = new RememberingPageStore?[what.Machines.Count];
    }

    /// <summary>Runs a case.</summary>
    /// <param name="what">The case.</param>
    /// <param name="threads">Threads.</param>
    /// <param name="checks">Whether barriers are looked at; nothing may depend on it.</param>
    public static HostCaseResult Run(HostCase what, int threads, bool checks)
    {
        using var folder = new SwapFolder();
        return new HostCaseRun(what).Run(folder, threads, checks);
    }

    /// <summary>Runs one machine of a case alone on a host with enough memory.</summary>
    public static MachineResult RunAlone(HostCase what, HostCaseMachine machine) => Run(
        what with
        {
            Machines = [machine with { LeastFrames = 0, MostFrames = ulong.MaxValue, StartNanoseconds = 0 }],
            HostBytes = (2 * machine.MemoryBytes) + (16UL << 20),
            SharingPagesPerSecond = null,
            UsesBalloons = false,
            SwapPages = 0,
        },
        threads: 1,
        checks: false).Machines[0];

    private HostCaseResult Run(SwapFolder folder, int threads, bool checks)
    {
        using var host = new VirtualHost(new HostMemory(_case.HostBytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = checks });
        SwapSpace? space = _case.SwapPages == 0 ? null : MakeSpace(folder);
        using HostSwap? swap = space is null ? null : new HostSwap(host, space);
        var scheduler = new HostScheduler(host, new HostSchedulerOptions
        {
            QuantumNanoseconds = _case.QuantumNanoseconds,
            Threads = threads,
            Order = _case.Order,
            UsesBalloons = _case.UsesBalloons,
            IdleTaxPercent = _case.IdleTaxPercent,
            Swap = swap,
            Sharing = _case.SharingPagesPerSecond is { } rate ? PageSharingOptions.At(rate, (ulong)_case.Number) : null,
        });
        for (int i = 0; i < _case.Machines.Count; i++)
            scheduler.Add(Schedule(host, i, swap, checks));
        var inspection = new HostInspection(host, scheduler, space, swap, _stores, TestSeed.Case(_case.Number));
        int quanta = 0;
        while (scheduler.RunQuantum())
        {
            Note(scheduler, host);
            if (checks)
                inspection.Barrier();
            if (++quanta > _case.MostQuanta)
                scheduler.Abandon("too long for a test");
        }

        scheduler.Abandon("over");
        Assert.Equal(0UL, host.Frames.FramesUsed);
        if (space is not null)
        {
            // What was being written comes back to the free slots.
            _ = space.Flush(space.Flush(scheduler.Now));
            _ = space.Flush(1UL << 60);
            Assert.Equal(space.Slots, space.SlotsFree);
            Assert.Equal(0UL, space.MemoryBytes);
            SwapCounts counts = space.SumCounts();
            _log.Append($"{counts.PagesOut} {counts.PagesIn} {counts.WriteOperations} {counts.WriteFailures} {counts.ReadOperations} {counts.ReadFailures}\n");
        }

        List<MachineResult> machines = [];
        for (int i = 0; i < _case.Machines.Count; i++)
        {
            SwapCounts? counts = space?.CountsOf(i);
            string exit = _exits[i] ?? $"never started: {scheduler.Machines[i].NeverStarted}";
            machines.Add(new MachineResult(exit, Encoding.Latin1.GetString(_outputs[i].ToArray()), counts is null ? 0 : counts.ReadFailures + counts.ChecksumMismatches,
                scheduler.Machines[i].Peak.ResidentFrames + scheduler.Machines[i].Peak.TableFrames));
            _log.Append(exit).Append('\n');
        }

        return new HostCaseResult(_log.ToString(), machines, _swappedIn, scheduler.Sharing?.Counts.Merged ?? 0, _ballooned, _deflated, inspection.Checks);
    }

    private SwapSpace MakeSpace(SwapFolder folder)
    {
        HostCaseFaults faults = _case.Faults;
        ISwapDevice device = _case.File is { } allocation
            ? new FileSwapDevice(folder.Options(_case.SwapPages * SwapSlot.SizeInBytes, allocation))
            : new MemorySwapDevice((int)_case.SwapPages);
        if (faults.PagesOneIn != 0)
            device = new TornSwapDevice(device, Plan(1, faults.PagesOneIn, PageDamage.None, PageDamage.Torn, PageDamage.FlippedBit, PageDamage.Lost));
        device = new FailingSwapDevice(
            device,
            Plan(2, faults.ReadsOneIn, SwapStatus.Done, SwapStatus.ReadFailed, SwapStatus.ShortRead),
            Plan(3, faults.WritesOneIn, SwapStatus.Done, SwapStatus.WriteFailed, SwapStatus.ShortWrite, SwapStatus.DeviceFull));
        ISwapTiming timing = new SwapDeviceModel(SwapDeviceTimes.Find(_case.Device)!);
        if (faults.SpikesEvery != 0)
            timing = new SpikingSwapTiming(timing, faults.SpikesEvery, 40_000_000);
        return new SwapSpace(device, timing, _case.Swap);
    }

    private Func<int, T> Plan<T>(int kind, int oneIn, T well, params T[] ill)
    {
        Random random = TestSeed.Case((_case.Number * 8) + kind);
        return _ => oneIn != 0 && random.Next(oneIn) == 0 ? ill[random.Next(ill.Length)] : well;
    }

    private ScheduledMachineOptions Schedule(VirtualHost host, int index, HostSwap? swap, bool checks)
    {
        HostCaseMachine machine = _case.Machines[index];
        ITimedPageStore? store = swap?.StoreOf(index);
        if (store is not null && checks)
            store = _stores[index] = new RememberingPageStore(store);
        RunOptions options = SmallRuns.Options(machine.Guest, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K) with { MemoryBytes = machine.MemoryBytes };
        options = options with { Machine = Mmu86.Lab.Machines.MachineCatalogue.Find(_case.Preset, []) };
        options = options with { HostPage = options.Machine.Mmu.Nested.CanMap(_case.HostPage) ? _case.HostPage : PageSize.Size4K };
        WorkingSetSampler? sampler = _case.SamplePeriodNanoseconds is { } period ? new WorkingSetSampler(period, (ulong)index) : null;
        IReplacementPolicy policy = PageReplacement.Find(_case.Replacement)!.Create(ReplacementOptions.ForGuest(machine.MemoryBytes, (ulong)index));
        var chooser = new VictimChooser(policy, sampler);
        MemoryStream output = _outputs[index];
        return new ScheduledMachineOptions
        {
            Name = machine.Guest,
            Create = () => new ScenarioGuest(new SharedHost(host, store, store is null ? null : chooser), options, new GuestOutput(output, output, Stream.Null), guest =>
            {
                _exits[index] = $"{guest.Exit!.Kind} {guest.Exit.Status} {guest.Exit.Detail}";
                _swappedIn += guest.Machine.Memory.Counts.SwappedIn;
                _ballooned += guest.Machine.Memory.Counts.Ballooned;
                _deflated += guest.Machine.Memory.Counts.Deflated;
            }),
            StartNanoseconds = machine.StartNanoseconds,
            Shares = machine.Shares,
            LeastFrames = machine.LeastFrames,
            MostFrames = machine.MostFrames,
            Store = store,
            Sampler = sampler,
            Chooser = chooser,
        };
    }

    private void Note(HostScheduler scheduler, VirtualHost host)
    {
        _log.Append(scheduler.Now).Append(' ').Append(scheduler.State).Append(' ').Append(host.Frames.FramesFree);
        foreach (ScheduledMachine machine in scheduler.Machines)
        {
            MachineUsage usage = machine.Usage;
            _log.Append(" | ").Append(machine.Time).Append(' ').Append(machine.Instructions).Append(' ').Append(usage.ResidentFrames).Append(' ').Append(usage.SharedFrames)
                .Append(' ').Append(usage.SwappedFrames).Append(' ').Append(usage.BalloonedFrames).Append(' ').Append(usage.TableFrames).Append(' ').Append(usage.SwappedIn);
        }

        _log.Append('\n');
    }
}
