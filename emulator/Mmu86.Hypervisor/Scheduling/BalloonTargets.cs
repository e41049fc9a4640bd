using Mmu86.Hypervisor.Balloon;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>Says how large each machine's balloon should be: larger where the host is short, smaller where it has plenty. At barriers only.</summary>
/// <remarks>
/// A guest follows in its own time, so targets are set anew each virtual millisecond from what balloons have and what is still missing.
/// Waldspurger, "Memory Resource Management in VMware ESX Server" (OSDI 2002), sections 3.2 and 6.3.
/// </remarks>
internal sealed class BalloonTargets
{
    private const ulong PeriodNanoseconds = 1_000_000;

    // Of a guest's memory, as in ESX: a guest without the rest could not live.
    private const ulong MostPercent = 65;
    private const ulong StepFrames = 32;

    private readonly IReadOnlyList<ScheduledMachine> _machines;
    private readonly MemoryClaims _claims;
    private readonly Dictionary<ScheduledMachine, ulong> _asked = [];
    private ulong _next;

    public BalloonTargets(IReadOnlyList<ScheduledMachine> machines, MemoryClaims claims)
    {
        _machines = machines;
        _claims = claims;
    }

    /// <summary>Whether a machine's balloon could still take something.</summary>
    public static bool CanTakeFrom(ScheduledMachine machine) => Room(machine) > 0;

    /// <summary>Whether a balloon could still take something.</summary>
    public bool CanTake
    {
        get
        {
            foreach (ScheduledMachine machine in _machines)
            {
                if (Room(machine) > 0)
                    return true;
            }

            return false;
        }
    }

    /// <summary>Sets targets, if it is time to.</summary>
    /// <param name="missing">Frames that the host lacks.</param>
    /// <param name="spare">Frames that it can give back.</param>
    /// <param name="now">Virtual nanoseconds.</param>
    public void Set(ulong missing, ulong spare, ulong now)
    {
        if (now < _next)
            return;
        _next = now + PeriodNanoseconds;
        _asked.Clear();
        foreach (ScheduledMachine machine in _machines)
        {
            // What a machine has beyond its maximum it gives first.
            if (machine.Guest is { } guest && guest.Machine.Memory.ResidentFrames > machine.MostFrames)
                _asked[machine] = Math.Min(Room(machine), guest.Machine.Memory.ResidentFrames - machine.MostFrames);
        }

        while (missing > 0 && Choose() is { } machine)
        {
            ulong step = Math.Min(Math.Min(StepFrames, missing), Room(machine) - Asked(machine));
            _asked[machine] = Asked(machine) + step;
            missing -= step;
        }

        foreach (ScheduledMachine machine in _machines)
        {
            if (machine.Guest?.Machine.Balloon is not { IsDriven: true } balloon)
                continue;
            ulong held = Held(balloon, machine.Guest.Machine.Memory);
            ulong given = Math.Min(spare, held);
            spare -= given;
            balloon.TargetFrames = held + Asked(machine) - given;
        }
    }

    /// <summary>Writes when targets are set next; the targets are the balloons'.</summary>
    public void Save(StateWriter writer) => writer.Write(_next);

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader) => _next = reader.ReadUInt64("nextTargets");

    // Who should give next, with what it was asked for already taken off.
    private ScheduledMachine? Choose()
    {
        ScheduledMachine? chosen = null;
        foreach (ScheduledMachine machine in _machines)
        {
            if (Room(machine) <= Asked(machine))
                continue;
            if (chosen is null || _claims.ShouldGive(machine, Pages(machine), chosen, Pages(chosen)))
                chosen = machine;
        }

        return chosen;
    }

    private ulong Asked(ScheduledMachine machine) => _asked.GetValueOrDefault(machine);

    private ulong Pages(ScheduledMachine machine) => machine.Guest!.Machine.Memory.ResidentFrames - Asked(machine);

    // Frames that its balloon may still take: not beyond what is the guest's minimum, and no more than it has.
    private static ulong Room(ScheduledMachine machine)
    {
        if (machine.Guest is not { } guest || guest.Machine.Balloon is not { IsDriven: true } balloon)
            return 0;
        GuestMemoryManager memory = guest.Machine.Memory;
        ulong most = (memory.SizeInBytes >> 12) * MostPercent / 100;
        ulong room = most - Math.Min(most, Held(balloon, memory));
        return Math.Min(room, memory.ResidentFrames - Math.Min(memory.ResidentFrames, machine.LeastFrames));
    }

    // What the guest says that it gave: frames that were never touched are not in the tables, but its next ones lie beyond them. A guest that says too
    // much is asked for nothing, and its memory is swapped; one that says too little is known by the tables.
    private static ulong Held(BalloonControl balloon, GuestMemoryManager memory) =>
        Math.Max(balloon.BalloonedFrames, Math.Min(balloon.ActualFrames, memory.SizeInBytes >> 12));
}
