using Mmu86.Hypervisor.Frames;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>Takes frames from machines for others. At barriers only.</summary>
internal sealed class HostReclaim
{
    private const int BatchFrames = 32;

    private readonly HostFrameAllocator _frames;
    private readonly IReadOnlyList<ScheduledMachine> _machines;
    private readonly HostShortage _shortage;
    private readonly MemoryClaims _claims;

    // Null where balloons are left alone.
    private readonly BalloonTargets? _balloons;
    private readonly List<GuestFrameNumber> _victims = [];

    // Splitting a large page takes a frame itself.
    private bool _isBusy;

    public HostReclaim(HostFrameAllocator frames, IReadOnlyList<ScheduledMachine> machines, HostSchedulerOptions options)
    {
        _frames = frames;
        _machines = machines;
        _shortage = new HostShortage(frames.FramesTotal);
        _claims = new MemoryClaims(options.Order, options.IdleTaxPercent);
        _balloons = options.UsesBalloons ? new BalloonTargets(machines, _claims) : null;
    }

    /// <summary>Below so many free frames reclaim begins.</summary>
    public ulong SoftFrames => _shortage.SoftFrames;

    /// <summary>With so many free frames it ends.</summary>
    public ulong HighFrames => _shortage.HighFrames;

    // What is beyond this is given back to guests: twice what reclaim stops at, so that it is not taken again at once.
    private ulong PlentyFrames => 2 * HighFrames;

    /// <summary>How short the host was when it was last looked at.</summary>
    public HostState State => _shortage.State;

    /// <summary>Looks how short the host is.</summary>
    public void Look() => _shortage.Update(_frames.FramesFree);

    /// <summary>Takes from machines that have more than they may, and from any until enough is free.</summary>
    public void Balance(ulong now)
    {
        foreach (ScheduledMachine machine in _machines)
        {
            if (_balloons is not null && BalloonTargets.CanTakeFrom(machine))
                continue;
            while (machine.Guest is { } guest && guest.Machine.Memory.ResidentFrames > machine.MostFrames
                && TakeFrom(machine, guest.Machine.Memory.ResidentFrames - machine.MostFrames, now) > 0)
            {
            }
        }

        Look();
        if (_balloons is null)
        {
            if (State != HostState.High)
                _ = TryFree(HighFrames, now);
        }
        else
        {
            BalanceBalloons(_balloons, now);
        }

        Look();
    }

    /// <summary>Writes how short the host is, and when balloons are asked next.</summary>
    public void Save(StateWriter writer)
    {
        _shortage.Save(writer);
        _balloons?.Save(writer);
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        _shortage.Load(reader);
        _balloons?.Load(reader);
    }

    // Soft: guests give by themselves what they need least. Hard and low, or where no balloon can take more: the host takes what it can.
    private void BalanceBalloons(BalloonTargets balloons, ulong now)
    {
        ulong free = _frames.FramesFree;
        ulong missing = State == HostState.High ? 0 : HighFrames - Math.Min(HighFrames, free);
        balloons.Set(missing, free - Math.Min(free, PlentyFrames), now);
        if (State == HostState.Soft && !balloons.CanTake)
            _ = TryFree(HighFrames, now);
        else if (State is HostState.Hard or HostState.Low)
            _ = TryFree(SoftFrames, now);
    }

    /// <summary>Makes frames free.</summary>
    /// <param name="wanted">How many there are to be.</param>
    /// <param name="now">Virtual nanoseconds.</param>
    /// <returns>Whether at least one is free.</returns>
    public bool TryFree(ulong wanted, ulong now)
    {
        if (_isBusy)
            return false;
        _isBusy = true;
        HashSet<ScheduledMachine> spent = [];
        while (_frames.FramesFree < wanted && Choose(spent) is { } machine)
        {
            ulong spare = machine.Guest!.Machine.Memory.ResidentFrames - machine.LeastFrames;
            if (TakeFrom(machine, Math.Min(spare, wanted - _frames.FramesFree), now) == 0)
                spent.Add(machine);
        }

        if (_frames.FramesFree < wanted)
            SharedReclaim.Free(_frames, _machines, wanted, now);
        _isBusy = false;
        return _frames.FramesFree > 0;
    }

    /// <summary>Who is to end where nobody can go on: of those that wait for a frame, and have more than their minimum, the one that should give first.</summary>
    /// <returns>Null where no machine runs.</returns>
    public ScheduledMachine? ChooseToEnd()
    {
        ScheduledMachine? chosen = null;
        foreach (ScheduledMachine machine in _machines)
        {
            if (machine.Guest is not null && (chosen is null || !ShouldEndBefore(chosen, machine)))
                chosen = machine;
        }

        return chosen;
    }

    // Where nothing speaks for either, the later one ends.
    private bool ShouldEndBefore(ScheduledMachine machine, ScheduledMachine than)
    {
        if (machine.IsStarved != than.IsStarved)
            return machine.IsStarved;
        return HasMoreThanPromised(machine) != HasMoreThanPromised(than) ? HasMoreThanPromised(machine) : HasMore(machine, than);
    }

    private static bool HasMoreThanPromised(ScheduledMachine machine) => machine.Guest!.Machine.Memory.ResidentFrames > machine.LeastFrames;

    private ScheduledMachine? Choose(HashSet<ScheduledMachine> spent)
    {
        ScheduledMachine? chosen = null;
        foreach (ScheduledMachine machine in _machines)
        {
            if (machine.Guest is null || machine.Store is null || machine.Guest.Machine.Memory.ResidentFrames <= machine.LeastFrames || spent.Contains(machine))
                continue;
            if (chosen is null || HasMore(machine, chosen))
                chosen = machine;
        }

        return chosen;
    }

    private bool HasMore(ScheduledMachine machine, ScheduledMachine than) =>
        _claims.ShouldGive(machine, machine.Guest!.Machine.Memory.ResidentFrames, than, than.Guest!.Machine.Memory.ResidentFrames);

    private int TakeFrom(ScheduledMachine machine, ulong frames, ulong now)
    {
        if (machine.Store is null)
            return 0;
        GuestMemoryManager memory = machine.Guest!.Machine.Memory;
        _victims.Clear();
        int wanted = (int)Math.Min(frames, BatchFrames);
        while (_victims.Count < wanted && machine.Chooser.TryChoose(memory, out GuestFrameNumber victim))
            _victims.Add(victim);
        machine.Store.Now = Math.Max(machine.Store.Now, now);
        int taken = memory.Evict(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_victims));
        machine.Chooser.TakeBack();
        memory.Settle();
        return taken;
    }
}
