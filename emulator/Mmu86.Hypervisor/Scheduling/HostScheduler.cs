using System.Runtime.ExceptionServices;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>Runs machines beside each other on one host, in quanta of virtual time between barriers. The result is the same on one thread and on several.</summary>
/// <remarks>
/// Between barriers each machine is alone: it runs on its own reserve of frames and touches nothing that another has. At a barrier no machine runs, and
/// what concerns several is done in the order of the machines: pages from swap, answers to system calls, frames, reclaim. A machine that needs
/// something in the middle of a quantum gets it when all have stopped, and goes on at the moment at which it has it, in the same quantum or a later one.
/// The hypervisor's own work takes no virtual time; waiting for the swap device does. A guest's clock stands still while the guest waits.
/// </remarks>
public sealed partial class HostScheduler
{
    private const ulong MostReserved = 256;
    private const ulong LeastReserved = 8;

    // Quanta in which machines run or wait for frames and none retires an instruction, before one of them is given up. One instruction may need
    // dozens of pages from swap, one after the other.
    private const int MostFruitlessQuanta = 1000;

    // Rounds of one quantum in which no machine retires an instruction and no time passes. Pages that come back from memory (zeros, what is still being
    // written) take no time, so machines could take them from each other for ever. A quantum that ends for this counts for several fruitless ones.
    private const int MostFruitlessRounds = 64;
    private const int WeightOfFruitlessRounds = 16;
    private const int JoinsAtBarrier = 4;

    // As often as policies scan by default.
    private const ulong WatchNanoseconds = ReplacementOptions.DefaultScanPeriodNanoseconds;

    private readonly VirtualHost _host;
    private readonly HostSchedulerOptions _options;
    private readonly List<ScheduledMachine> _machines = [];
    private readonly List<ScheduledMachine> _running = [];
    private readonly HostReclaim _reclaim;
    private int _fruitless;
    private ulong _nextWatch;
    private ulong _lastScan;

    /// <summary>Makes one for a host.</summary>
    public HostScheduler(VirtualHost host, HostSchedulerOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfZero(options.QuantumNanoseconds);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(options.IdleTaxPercent);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.IdleTaxPercent, 99);
        _host = host;
        _options = options;
        _reclaim = new HostReclaim(host.Frames, _machines, options);
        Sharing = options.Sharing is { } sharing ? new PageSharing(host, sharing) : null;
        host.Frames.Relief = () => _reclaim.TryFree(_reclaim.SoftFrames, Now);
    }

    /// <summary>The machines, in the order in which they were added and are served.</summary>
    public IReadOnlyList<ScheduledMachine> Machines => _machines;

    /// <summary>Virtual nanoseconds of the host: the last barrier.</summary>
    public ulong Now { get; private set; }

    /// <summary>Who finds equal pages; null where nobody does.</summary>
    public PageSharing? Sharing { get; }

    /// <summary>How short of memory the host is.</summary>
    public HostState State => _reclaim.State;

    /// <summary>Adds a machine that is to start.</summary>
    public void Add(ScheduledMachineOptions machine) => _machines.Add(new ScheduledMachine(machine));

    /// <summary>Runs one quantum: the work of the barrier, then machines up to the next.</summary>
    /// <returns>False where every machine has ended.</returns>
    public bool RunQuantum()
    {
        if (_machines.All(machine => machine.HasEnded))
            return false;
        ulong until = Now + _options.QuantumNanoseconds;
        foreach (ScheduledMachine machine in _machines)
        {
            if (machine.CanStart(Now))
                Try(machine, starting => starting.Start(Now));
        }

        Watch();
        if (Sharing is not null)
        {
            Sharing.Scan([.. _machines.Where(machine => machine.Guest is not null && !machine.IsElsewhere).Select(machine => machine.Guest!.Machine)], Now - _lastScan);
            _lastScan = Now;
        }

        _reclaim.Balance(Now);
        foreach (ScheduledMachine machine in _machines)
        {
            // Large pages are made while there is plenty: a copy needs a run beside what it copies.
            if (machine.Guest is { } guest && _host.Frames.FramesFree > 2 * _reclaim.HighFrames)
                guest.Machine.Memory.JoinWhole(JoinsAtBarrier);
        }

        UInt128 before = Retired;
        UInt128 progress = Progress;
        int fruitlessRounds = 0;
        bool wasBusy = false;
        do
        {
            // Refilling one may take from another, so all are open until each has its reserve.
            foreach (ScheduledMachine machine in _machines)
                _ = Refill(machine);
            foreach (ScheduledMachine machine in _machines)
                machine.Guest?.Machine.Frames.Close();

            _running.Clear();
            _running.AddRange(_machines.Where(machine => machine.IsRunnable && machine.Time < until));
            wasBusy |= _running.Count > 0;
            RunAll(until);
            foreach (ScheduledMachine machine in _machines)
                machine.Guest?.Machine.Frames.Open();
            foreach (ScheduledMachine machine in _machines)
            {
                machine.Account();
                if (machine.Stop is not null)
                    Try(machine, Serve);
            }

            UInt128 reached = Progress;
            fruitlessRounds = reached == progress ? fruitlessRounds + 1 : 0;
            progress = reached;
        }
        while (fruitlessRounds < MostFruitlessRounds && _machines.Any(machine => machine.IsRunnable && machine.Time < until));
        bool isStuck = fruitlessRounds == MostFruitlessRounds;
        _fruitless = wasBusy && Retired == before ? _fruitless + (isStuck ? WeightOfFruitlessRounds : 1) : 0;
        foreach (ScheduledMachine machine in _machines)
        {
            if (machine.IsRunnable)
                machine.WaitUntil(until); // nothing to do where it has come so far
        }

        EndQuantum(until);
        return true;
    }

    /// <summary>Between two quanta: a machine goes on as a guest of another host that has its state, and is served here as before. The one before is destroyed.</summary>
    /// <param name="machine">It has a guest.</param>
    /// <param name="guest">Its clock stands where the other's stood.</param>
    /// <param name="moment">Virtual nanoseconds at which it runs on.</param>
    public void Move(ScheduledMachine machine, IScheduledGuest guest, ulong moment) => machine.MoveTo(guest, moment);

    /// <summary>Ends every machine that is left.</summary>
    public void Abandon(string reason)
    {
        foreach (ScheduledMachine machine in _machines)
        {
            if (machine.Guest is not null)
                Abandon(machine, AbandonCause.Limit, reason);
            else if (!machine.HasEnded)
                machine.EndUnstarted(reason);
        }

        _options.Swap?.Settle(Now);
    }

    // Policies look at accessed flags now and then: each look costs every MMU of the machine its translations. They do so by the time for which a machine
    // has worked. Flags that nobody sets age nothing, and so what the looks cost stays a small part of what the machine's instructions do.
    private void Watch()
    {
        bool isTime = Now >= _nextWatch;
        if (isTime)
            _nextWatch = Now + WatchNanoseconds;
        foreach (ScheduledMachine machine in _machines)
        {
            if (machine.Guest is not { } guest)
                continue;
            machine.Sampler?.Tick(guest.Machine.Memory, machine.GuestNanoseconds);
            if (isTime && machine.Store is not null)
            {
                machine.Store.Now = Math.Max(machine.Store.Now, Now);
                machine.Chooser.Tick(guest.Machine.Memory, machine.WorkNanoseconds);
            }

            guest.Machine.Memory.Settle();
        }
    }

    private void RunAll(ulong until)
    {
        if (_options.Threads == 1 || _running.Count < 2)
        {
            foreach (ScheduledMachine machine in _running)
                machine.Run(until);
            return;
        }

        try
        {
            Parallel.ForEach(_running, new ParallelOptions { MaxDegreeOfParallelism = _options.Threads }, machine => machine.Run(until));
        }
        catch (AggregateException exception)
        {
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }
    }

    private void Serve(ScheduledMachine machine)
    {
        MachineStop stop = machine.Stop!.Value;
        IScheduledGuest guest = machine.Guest!;
        if (machine.Store is { } store)
            store.Now = machine.Time;
        switch (stop.Memory)
        {
            case PopulateResult.Swapped or PopulateResult.SharedWrite:
                switch (guest.Machine.Memory.BringIn(stop.Exit.GuestPhysical))
                {
                    case PopulateResult.Mapped:
                        machine.Resume();
                        if (machine.Store is { } waited)
                            machine.WaitForSwap(waited.ReadyAt);
                        return;
                    case PopulateResult.NoFrame:
                        machine.Starve();
                        return;
                    case var lost:
                        throw new SwappedPageLostException(stop.Exit.GuestPhysical, lost);
                }

            case PopulateResult.NoFrame:
                // The instruction runs again when there is a reserve.
                if (Refill(machine) || guest.Machine.Frames.Reserved > 0)
                    machine.Resume();
                else
                    machine.Starve();
                return;
            default:
                if (!guest.Answer(stop))
                {
                    machine.End();
                    return;
                }

                machine.Resume();
                if (machine.Store is { } used)
                    machine.WaitForSwap(used.ReadyAt);
                return;
        }
    }

    private bool Refill(ScheduledMachine machine)
    {
        if (machine.Guest is not { } guest)
            return true;
        ulong part = Math.Clamp(_host.Frames.FramesTotal / (32 * (ulong)_machines.Count), LeastReserved, MostReserved);
        ulong resident = guest.Machine.Memory.ResidentFrames;
        ulong wanted = Math.Min(part, Math.Max(LeastReserved, machine.MostFrames - Math.Min(machine.MostFrames, resident)));
        return guest.Machine.Frames.TryReserve((int)wanted)
            || (_reclaim.TryFree(_reclaim.SoftFrames, Now) && guest.Machine.Frames.TryReserve((int)wanted));
    }

    private UInt128 Retired => _machines.Aggregate((UInt128)0, (sum, machine) => sum + machine.Instructions);

    // Never falls. Without a change of it nothing happened that a guest could tell.
    private UInt128 Progress => _machines.Aggregate((UInt128)0, (sum, machine) => sum + machine.Instructions + machine.Time);

    private void EndQuantum(ulong until)
    {
        Now = until;
        _options.Swap?.Settle(Now);
        _reclaim.Look();
        foreach (ScheduledMachine machine in _machines)
        {
            if (machine.Guest is { } guest)
                machine.Coupling.Note(guest);
        }

        if (_fruitless > MostFruitlessQuanta)
        {
            // One is given up, and its frames help the others.
            _fruitless = 0;
            if (_reclaim.ChooseToEnd() is { } machine)
                Abandon(machine, AbandonCause.NoMemory, "the host has too few frames for any machine to go on");
        }

        foreach (ScheduledMachine machine in _machines)
        {
            if (!machine.IsStarved)
                continue;

            // What it waited for is tried again behind the barrier's work.
            machine.WaitUntil(until);
            machine.Resume();
        }

        // Nobody runs before then: waiting costs no quanta.
        ulong next = ulong.MaxValue;
        foreach (ScheduledMachine machine in _machines)
        {
            if (machine.Guest is not null)
                next = Math.Min(next, machine.Time);
            else if (!machine.HasEnded)
                next = Math.Min(next, machine.StartTime);
        }

        if (next > Now && next != ulong.MaxValue)
            Now += (next - Now) / _options.QuantumNanoseconds * _options.QuantumNanoseconds;
    }

    private void Try(ScheduledMachine machine, Action<ScheduledMachine> step)
    {
        try
        {
            step(machine);
        }
        catch (SwappedPageLostException exception)
        {
            Abandon(machine, AbandonCause.PageLost, exception.Message);
        }
        catch (HostMemoryExhaustedException) when (machine.Guest is null)
        {
            machine.EndUnstarted("the host has no frame left to place its image");
        }
        catch (HostMemoryExhaustedException)
        {
            Abandon(machine, AbandonCause.NoMemory, "the host has no frame left for what it asked of the hypervisor");
        }
    }

    private static void Abandon(ScheduledMachine machine, AbandonCause cause, string reason)
    {
        machine.Guest!.Abandon(cause, reason);
        machine.End();
    }
}
