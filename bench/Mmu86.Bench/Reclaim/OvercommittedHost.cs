using System.Diagnostics;
using Mmu86.Bench.Reporting;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Swap;
using Mmu86.Lab.Running;
using Mmu86.Lab.Scenarios;
using Mmu86.Memory;

namespace Mmu86.Bench.Reclaim;

/// <summary>The host of a scenario, on one thread, whose work may be looked at.</summary>
internal sealed class OvercommittedHost : IDisposable
{
    private readonly Scenario _scenario;
    private readonly WorkProfile? _profile;
    private readonly VirtualHost _host;
    private readonly HostSwap _swap;
    private readonly HostScheduler _scheduler;

    /// <summary>Makes the host.</summary>
    /// <param name="scenario">One with a swap, without migrations and sharing.</param>
    /// <param name="profile">Told what the thread is at; null where nobody wants to know.</param>
    public OvercommittedHost(Scenario scenario, WorkProfile? profile)
    {
        _scenario = scenario;
        _profile = profile;
        _host = new VirtualHost(new HostMemory(scenario.HostMemoryBytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = false });
        _swap = scenario.Swap!.Create(_host);
        _scheduler = new HostScheduler(_host, new HostSchedulerOptions
        {
            QuantumNanoseconds = HostSchedulerOptions.DefaultQuantumNanoseconds,
            Threads = 1,
            Order = scenario.Order,
            UsesBalloons = scenario.UsesBalloons,
            IdleTaxPercent = scenario.IdleTaxPercent,
            Swap = _swap,
            Sharing = null,
        });
        for (int i = 0; i < scenario.Machines.Count; i++)
            _scheduler.Add(Schedule(scenario.Machines[i], i));
    }

    /// <summary>Runs to the end of the steady state.</summary>
    public SteadyState Run()
    {
        while (!IsSteady())
            RunQuantum();
        SteadyCounts start = Count();
        double cpu = ThreadClock.Seconds;
        _profile?.Restart();
        SteadyCounts end = start;
        double cpuEnd = cpu;
        IReadOnlyList<int> looks = [];
        while (_scheduler.Machines.All(machine => machine.Guest is not null))
        {
            // What the last quantum did is left out: it ends a machine, and nobody has its counts any more.
            end = Count();
            cpuEnd = ThreadClock.Seconds;
            looks = _profile?.Read() ?? [];
            RunQuantum();
        }

        return new SteadyState
        {
            Counts = end - start,
            Looks = looks,
            CpuSeconds = cpuEnd - cpu,
        };
    }

    /// <summary>Ends what still runs.</summary>
    public void Dispose()
    {
        _scheduler.Abandon("measured");
        _swap.Dispose();
        _host.Dispose();
    }

    private bool IsSteady() => _scheduler.Machines.All(machine => machine.Guest is not null) && Count().Evicted > 0;

    private void RunQuantum()
    {
        if (!_scheduler.RunQuantum() || _scheduler.Machines.Any(machine => machine.NeverStarted is not null))
            throw new MeasurementException($"The scenario '{_scenario.Name}' never had all its machines short of memory at once.");
    }

    private SteadyCounts Count()
    {
        var sum = new SteadyCounts(_scheduler.Now, 0, 0, 0, 0);
        foreach (ScheduledMachine machine in _scheduler.Machines)
        {
            if (machine.Guest is not { } guest)
                continue;
            GuestMemoryCounts counts = guest.Machine.Memory.Counts;
            sum = sum with
            {
                Instructions = sum.Instructions + machine.Instructions,
                Evicted = sum.Evicted + counts.SwappedOut,
                SwappedIn = sum.SwappedIn + counts.SwappedIn,
                FlagsCleared = sum.FlagsCleared + counts.AccessedFlagsCleared,
            };
        }

        return sum;
    }

    private ScheduledMachineOptions Schedule(ScenarioMachine machine, int index)
    {
        ITimedPageStore store = _swap.StoreOf(index);
        ulong seed = _scenario.Seed + (ulong)index;
        WorkingSetSampler? sampler = _scenario.SamplePeriodNanoseconds is { } period ? new WorkingSetSampler(period, seed) : null;
        IReplacementPolicy policy = _scenario.Replacement.Create(ReplacementOptions.ForGuest(machine.Options.MemoryBytes, seed));
        if (_profile is not null)
        {
            policy = new TimedPolicy(policy, _profile);
            store = new TimedStore(store, _profile);
        }

        var chooser = new VictimChooser(policy, sampler);
        IResidencyObserver residency = _profile is null ? chooser : new TimedResidency(chooser, _profile);
        return new ScheduledMachineOptions
        {
            Name = machine.Name,
            Create = () =>
            {
                var guest = new ScenarioGuest(new SharedHost(_host, store, residency), machine.Options, GuestOutput.None, _ => { });
                return _profile is null ? guest : new TimedGuest(guest, _profile);
            },
            StartNanoseconds = machine.StartNanoseconds,
            Shares = machine.Shares,
            LeastFrames = machine.LeastFrames,
            MostFrames = machine.MostFrames,
            Store = store,
            Sampler = sampler is null || _profile is null ? sampler : new TimedEstimate(sampler, _profile),
            Chooser = chooser,
        };
    }
}
