using System.Diagnostics;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Swap;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Snapshots;
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

    /// <summary>The snapshot that is to be taken on the way; null for none.</summary>
    public ScenarioSnapshotRequest? Snapshot { get; init; }

    /// <summary>The snapshot that the host goes on from; null where it begins.</summary>
    public string? RestoredFrom { get; init; }

    /// <summary>Whether <see cref="Snapshot"/> was taken: false too where every machine ended before.</summary>
    public bool IsSnapshotTaken { get; private set; }

    /// <summary>Told now and then how things stand; null for nobody.</summary>
    public Action<VmsMoment>? Progress { get; init; }

    /// <summary>Runs.</summary>
    /// <param name="cancellation">Ends every machine early: the report says so.</param>
    /// <exception cref="SwapFileException">The swap file cannot be made.</exception>
    /// <exception cref="Loaders.ImageFormatException">An image is broken, or does not fit.</exception>
    /// <exception cref="Loaders.ImageNotSupportedException">An image is of a kind that Mmu86 does not have yet.</exception>
    /// <exception cref="StateFormatException">The snapshot is broken, or of another scenario.</exception>
    /// <exception cref="SnapshotFileException">A snapshot cannot be written or read.</exception>
    /// <exception cref="SnapshotUnavailableException">A migration has begun when the snapshot is to be taken.</exception>
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
            : new ScenarioMigrations(_scenario, scheduler, AuditsIsolation, index => swap?.StoreOf(index), (index, other) => Make(index, new SharedHost(other, null, null) { DiskFolder = DiskFolder }));
        var snapshot = new ScenarioSnapshot(_scenario, _timeline, _records);
        if (RestoredFrom is { } path)
            snapshot.Read(path, scheduler);
        try
        {
            Take(snapshot, scheduler, migrations);
            while (scheduler.RunQuantum())
            {
                migrations?.Step(scheduler);
                if (_timeline.Add(scheduler, host.Frames) is { } moment)
                    Progress?.Invoke(moment);
                if (scheduler.Now >= _scenario.LimitNanoseconds)
                    scheduler.Abandon($"limits.time {_scenario.LimitNanoseconds} was reached");
                else if (cancellation.IsCancellationRequested)
                    scheduler.Abandon("interrupted");
                if (!cancellation.IsCancellationRequested)
                    Take(snapshot, scheduler, migrations);
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

    // The other host and what is on its way there are not in a snapshot.
    private void Take(ScenarioSnapshot snapshot, HostScheduler scheduler, ScenarioMigrations? migrations)
    {
        if (Snapshot is not { } wanted || IsSnapshotTaken || scheduler.Now < wanted.AtNanoseconds)
            return;
        if (migrations?.FirstBegun is { } machine)
            throw new SnapshotUnavailableException($"at {scheduler.Now} ns the migration of '{machine}' has begun, and a host is only kept before its first migration");
        snapshot.Write(wanted.Path, scheduler);
        IsSnapshotTaken = true;
    }

    // What machines write to their disks is where their host's swap is.
    private string DiskFolder => _scenario.Swap?.File is { } file ? Path.GetDirectoryName(Path.GetFullPath(file))! : Path.GetTempPath();

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
        var chooser = new VictimChooser(_scenario.Replacement.Create(ReplacementOptions.ForGuest(machine.Options.MemoryBytes, seed)), sampler);
        return new ScheduledMachineOptions
        {
            Name = machine.Name,
            Create = () => Make(index, new SharedHost(host, store, store is null ? null : chooser) { DiskFolder = DiskFolder }),
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
            Swap = swap is null ? null : VmsSwap.Of(_scenario.Swap!, swap),
            Sharing = scheduler.Sharing is { } sharing ? VmsSharing.Of(_scenario.Sharing!, sharing, host.Frames, machines) : null,
            Timeline = _timeline.Moments,
            Machines = machines,
            Migrations = migrations?.Report(),
            FramesOwnedAtEnd = host.Frames.FramesUsed + (migrations?.FramesOwned ?? 0),
            Host = HostReport.From(machines.Sum(machine => machine.Instructions), cpu, wall),
        };
    }
}
