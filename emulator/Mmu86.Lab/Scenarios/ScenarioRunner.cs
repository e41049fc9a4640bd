using System.Diagnostics;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Swap;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>Runs a scenario from its first machine's start to its last one's end.</summary>
public sealed class ScenarioRunner
{
    private readonly Scenario _scenario;
    private readonly ScenarioTimeline _timeline = new();
    private readonly MachineRecord[] _records;

    /// <summary>Prepares a run.</summary>
    /// <param name="scenario">What runs on what.</param>
    public ScenarioRunner(Scenario scenario)
    {
        _scenario = scenario;
        _records = [.. scenario.Machines.Select(machine => new MachineRecord(machine))];
    }

    /// <summary>Threads that machines run on. No result depends on it.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Whether the bytes of every frame are looked at before it is mapped.</summary>
    public bool AuditsIsolation { get; init; }

    /// <summary>Told now and then how things stand; null for nobody.</summary>
    public Action<VmsMoment>? Progress { get; init; }

    /// <summary>Runs.</summary>
    /// <param name="cancellation">Ends every machine early: the report says so.</param>
    /// <exception cref="SwapFileException">The swap file cannot be made.</exception>
    /// <exception cref="Loaders.ImageFormatException">An image is broken, or does not fit.</exception>
    /// <exception cref="Loaders.ImageNotSupportedException">An image is of a kind that Mmu86 does not have yet.</exception>
    public VmsReport Run(CancellationToken cancellation)
    {
        using Process process = Process.GetCurrentProcess();
        TimeSpan cpu = process.TotalProcessorTime;
        var wall = Stopwatch.StartNew();
        using var host = new VirtualHost(
            new HostMemory(_scenario.HostMemoryBytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = AuditsIsolation });
        using HostSwap? swap = _scenario.Swap?.Create(host);
        var scheduler = new HostScheduler(host, new HostSchedulerOptions
        {
            QuantumNanoseconds = HostSchedulerOptions.DefaultQuantumNanoseconds,
            Threads = Threads,
            Order = _scenario.Order,
            UsesBalloons = _scenario.UsesBalloons,
            IdleTaxPercent = _scenario.IdleTaxPercent,
            Swap = swap,
            Sharing = _scenario.Sharing,
        });
        for (int i = 0; i < _records.Length; i++)
            scheduler.Add(Schedule(host, i, swap));
        using ScenarioMigrations? migrations = _scenario.Migrations.Count == 0 ? null
            : new ScenarioMigrations(_scenario, scheduler, AuditsIsolation, index => swap?.StoreOf(index), (index, other) => Make(index, new SharedHost(other, null, null)));
        try
        {
            while (scheduler.RunQuantum())
            {
                migrations?.Step(scheduler);
                if (_timeline.Add(scheduler, host.Frames) is { } moment)
                    Progress?.Invoke(moment);
                if (scheduler.Now >= _scenario.LimitNanoseconds)
                    scheduler.Abandon($"limits.time {_scenario.LimitNanoseconds} was reached");
                else if (cancellation.IsCancellationRequested)
                    scheduler.Abandon("interrupted");
            }
        }
        finally
        {
            scheduler.Abandon("the run was given up");
        }

        _timeline.Close(scheduler, host.Frames);
        process.Refresh();
        return Report(scheduler, host, swap, migrations, process.TotalProcessorTime - cpu, wall.Elapsed);
    }

    private ScenarioGuest Make(int index, SharedHost host)
    {
        MachineRecord record = _records[index];
        return new ScenarioGuest(host, record.Machine.Options, new GuestOutput(record.Output, record.Output, record.Debug), record.Note);
    }

    private ScheduledMachineOptions Schedule(VirtualHost host, int index, HostSwap? swap)
    {
        MachineRecord record = _records[index];
        ScenarioMachine machine = record.Machine;
        SwapPageStore? store = swap?.StoreOf(index);
        ulong seed = _scenario.Seed + (ulong)index;
        WorkingSetSampler? sampler = _scenario.SamplePeriodNanoseconds is { } period ? new WorkingSetSampler(period, seed) : null;
        var chooser = new VictimChooser(_scenario.Replacement.Create(ReplacementOptions.Default((int)(machine.Options.MemoryBytes >> 12), seed)), sampler);
        return new ScheduledMachineOptions
        {
            Name = machine.Name,
            Create = () => Make(index, new SharedHost(host, store, store is null ? null : chooser)),
            StartNanoseconds = machine.StartNanoseconds,
            Shares = machine.Shares,
            LeastFrames = machine.LeastFrames,
            MostFrames = machine.MostFrames,
            Store = store,
            Sampler = sampler,
            Chooser = chooser,
        };
    }

    private VmsReport Report(HostScheduler scheduler, VirtualHost host, HostSwap? swap, ScenarioMigrations? migrations, TimeSpan cpu, TimeSpan wall)
    {
        List<VmsMachineReport> machines = [];
        for (int i = 0; i < _records.Length; i++)
            machines.Add(_records[i].Report(scheduler.Machines[i]));
        return new VmsReport
        {
            Version = typeof(VmsReport).Assembly.GetName().Version!.ToString(3),
            Scenario = _scenario.Name,
            Seed = _scenario.Seed,
            Machine = _scenario.Machines[0].Options.Machine.Name,
            HostMemory = _scenario.HostMemoryBytes,
            Promised = _scenario.Machines.Aggregate(0UL, (sum, machine) => sum + machine.Options.MemoryBytes),
            Time = scheduler.Machines.Max(machine => machine.Time),
            PeakFramesUsed = host.Frames.MostFramesUsed,
            Swap = swap is null ? null : VmsSwap.Of(_scenario.Swap!, swap.Counts),
            Sharing = scheduler.Sharing is { } sharing ? VmsSharing.Of(_scenario.Sharing!, sharing, host.Frames, machines) : null,
            Timeline = _timeline.Moments,
            Machines = machines,
            Migrations = migrations?.Report(),
            FramesOwnedAtEnd = host.Frames.FramesUsed + (migrations?.FramesOwned ?? 0),
            Host = HostReport.From(machines.Sum(machine => machine.Instructions), cpu, wall),
        };
    }

    // What is kept of a machine when it is gone.
    private sealed class MachineRecord(ScenarioMachine machine)
    {
        private ExitReport? _exit;
        private RunCounts? _counts;
        private GuestMemoryCounts? _memory;
        private VmsFrames? _last;

        public ScenarioMachine Machine => machine;

        public HashingStream Output { get; } = new();

        public TextStream Debug { get; } = new();

        public void Note(ScenarioGuest guest)
        {
            RunOptions options = machine.Options;
            GuestMachine ended = guest.Guest;
            _exit = guest.Exit;
            _counts = new RunCountsReader(options.Machine, options.Paging, options.Fidelity)
                .Read(ended.Vcpu.Counters, ended.Vcpu.Statistics, ended.Timing?.Statistics);
            _memory = guest.Machine.Memory.Counts;
            _last = FramesOf(guest.Machine.Memory);
        }

        public VmsMachineReport Report(ScheduledMachine scheduled) => new()
        {
            Name = machine.Name,
            Program = ProgramReport.Of(machine.Options.Program),
            Memory = machine.Options.MemoryBytes,
            Exit = _exit ?? (scheduled.NeverStarted is { } reason ? new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.LimitStatus, Detail = reason } : null),
            OutputSha256 = Output.Sha256,
            DebugConsole = Debug.Text,
            Instructions = _counts?.Instructions ?? 0,
            Cycles = _counts?.Cycles,
            ResidentFrames = _last?.ResidentFrames ?? 0,
            SharedFrames = _last?.SharedFrames ?? 0,
            BalloonedFrames = _last?.BalloonedFrames ?? 0,
            SwappedFrames = _last?.SwappedFrames ?? 0,
            Peak = new VmsFrames
            {
                ResidentFrames = scheduled.Peak.ResidentFrames,
                SharedFrames = scheduled.Peak.SharedFrames,
                BalloonedFrames = scheduled.Peak.BalloonedFrames,
                SwappedFrames = scheduled.Peak.SwappedFrames,
            },
            SwapInBytes = (_memory?.SwappedIn ?? 0) << 12,
            SwapOutBytes = (_memory?.Stored ?? 0) << 12,
            CleanEvictions = _memory?.SwappedOutClean ?? 0,
            SwapWait = scheduled.SwapWaitNanoseconds,
            EndedAt = scheduled.Time,
            SharingBroken = _memory?.SharingBroken ?? 0,
            SharedCopied = _memory?.SharedCopied ?? 0,
            SharedSwapped = _memory?.SharedEvicted ?? 0,
            Invalidations = _memory?.Invalidations ?? 0,
            LargePagesJoined = _memory?.Joins ?? 0,
            LargePagesSplit = _memory?.Splits ?? 0,
            Coupling = _counts?.Walks is null ? null : VmsCoupling.Of(scheduled.Coupling, machine.Options.Machine.Mmu.Latencies, _memory?.Invalidations ?? 0),
            Faults = _counts?.Faults,
            Walks = _counts?.Walks,
        };

        private static VmsFrames FramesOf(GuestMemoryManager memory) => new()
        {
            ResidentFrames = memory.ResidentFrames,
            SharedFrames = memory.SharedFrames,
            BalloonedFrames = memory.BalloonedFrames,
            SwappedFrames = memory.SwappedFrames,
        };
    }
}
