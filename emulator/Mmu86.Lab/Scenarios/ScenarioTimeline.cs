using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>The host at moments equally far apart: never more than a report should have, however long a run is.</summary>
internal sealed class ScenarioTimeline
{
    private const int MostMoments = 512;
    private const string Section = "timeline";
    private const int MostStateBytes = 16;

    private readonly List<VmsMoment> _moments = [];
    private ulong _period = 1_000_000;
    private ulong _next;

    // A host that reclaims is well again a barrier later: looked at now and then only, it would never seem to have been short.
    private HostState _worst;

    /// <summary>What was kept.</summary>
    public IReadOnlyList<VmsMoment> Moments => _moments;

    /// <summary>Looks at the host behind a quantum.</summary>
    /// <returns>What was seen, where it was time to look.</returns>
    public VmsMoment? Add(HostScheduler scheduler, HostFrameAllocator frames)
    {
        if (scheduler.State > _worst)
            _worst = scheduler.State;
        if (scheduler.Now < _next)
            return null;
        if (_moments.Count == MostMoments)
        {
            for (int i = 1; i < _moments.Count; i++)
                _moments.RemoveAt(i);
            _period *= 2;
        }

        _next = ((scheduler.Now / _period) + 1) * _period;
        VmsMoment moment = Look(scheduler, frames);
        _moments.Add(moment);
        return moment;
    }

    /// <summary>Looks at the host once more: how it ended.</summary>
    public void Close(HostScheduler scheduler, HostFrameAllocator frames)
    {
        if (_moments.Count > 0 && _moments[^1].Time == scheduler.Now)
            _moments.RemoveAt(_moments.Count - 1);
        _moments.Add(Look(scheduler, frames));
    }

    /// <summary>Writes the section <c>timeline</c>.</summary>
    public void Save(StateWriter writer)
    {
        writer.Begin(Section);
        writer.Write(_period);
        writer.Write(_next);
        writer.Write((byte)_worst);
        writer.Write(_moments.Count);
        foreach (VmsMoment moment in _moments)
        {
            writer.Write(moment.Time);
            writer.Write(moment.Free);
            writer.Write(moment.Saved);
            writer.Write(moment.State);
            foreach (VmsMachineMoment machine in moment.Machines)
                Save(writer, machine);
        }

        writer.End();
    }

    /// <summary>Reads it back in place of what was kept.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="machines">How many machines there are.</param>
    public void Load(StateReader reader, int machines)
    {
        reader.Open(Section);
        _period = reader.ReadUInt64("period", 1, ulong.MaxValue);
        _next = reader.ReadUInt64("next");
        _worst = (HostState)reader.ReadByte("worst");
        if (!Enum.IsDefined(_worst))
            throw reader.Refuse("worst", "is none that there is");
        _moments.Clear();
        for (int left = reader.ReadInt32("moments", 0, MostMoments); left > 0; left--)
        {
            _moments.Add(new VmsMoment
            {
                Time = reader.ReadUInt64("time"),
                Free = reader.ReadUInt64("free"),
                Saved = reader.ReadOptional("saved"),
                State = reader.ReadText("state", MostStateBytes),
                Machines = [.. Enumerable.Range(0, machines).Select(_ => LoadMachine(reader))],
            });
        }

        reader.Close();
    }

    private static void Save(StateWriter writer, VmsMachineMoment machine)
    {
        writer.WriteArray<ulong>([
            machine.Resident, machine.Swapped, machine.Instructions, machine.SwapWait, machine.SwapInBytes, machine.SwapOutBytes, machine.Faults]);
        writer.Write(machine.Shared);
        writer.Write(machine.Ballooned);
        writer.Write(machine.Active);
        writer.Write(machine.Thrashing);
    }

    private static VmsMachineMoment LoadMachine(StateReader reader)
    {
        Span<ulong> counts = stackalloc ulong[7];
        reader.ReadArray("counts", counts);
        return new VmsMachineMoment
        {
            Resident = counts[0],
            Swapped = counts[1],
            Instructions = counts[2],
            SwapWait = counts[3],
            SwapInBytes = counts[4],
            SwapOutBytes = counts[5],
            Faults = counts[6],
            Shared = reader.ReadOptional("shared"),
            Ballooned = reader.ReadOptional("ballooned"),
            Active = reader.ReadOptional("active"),
            Thrashing = reader.ReadBoolean("thrashing"),
        };
    }

    private VmsMoment Look(HostScheduler scheduler, HostFrameAllocator frames)
    {
        HostState worst = _worst;
        _worst = HostState.High;
        return Describe(scheduler, frames, worst);
    }

    private VmsMoment Describe(HostScheduler scheduler, HostFrameAllocator frames, HostState state) => new()
    {
        Time = scheduler.Now,
        Free = frames.FramesFree,
        Saved = scheduler.Sharing is null ? null : frames.FramesSaved,
        State = state switch
        {
            HostState.High => "high",
            HostState.Soft => "soft",
            HostState.Hard => "hard",
            HostState.Low => "low",
            _ => throw new System.Diagnostics.UnreachableException(),
        },
        Machines = [.. scheduler.Machines.Select((machine, index) => new VmsMachineMoment
        {
            Resident = machine.Usage.ResidentFrames,
            Swapped = machine.Usage.SwappedFrames,
            Shared = scheduler.Sharing is null ? null : machine.Usage.SharedFrames,
            Active = machine.Guest is null || machine.ActivePartsPerMillion is not { } active ? null
                : machine.Usage.ResidentFrames * active / WorkingSetSampler.Whole,
            Ballooned = machine.Peak.BalloonedFrames == 0 ? null : machine.Usage.BalloonedFrames,
            Instructions = machine.Instructions,
            SwapWait = machine.SwapWaitNanoseconds,
            Thrashing = IsThrashing(index, machine, scheduler.Now),
            SwapInBytes = machine.Usage.SwappedIn << 12,
            SwapOutBytes = machine.Usage.SwappedOut << 12,
            Faults = machine.Usage.PagesPopulated + machine.Usage.SwappedIn,
        })],
    };

    // More than half of the time since the last moment went by waiting for pages: what was taken was in use.
    private bool IsThrashing(int index, ScheduledMachine machine, ulong now)
    {
        if (_moments.Count == 0 || machine.HasEnded)
            return false;
        VmsMoment before = _moments[^1];
        return machine.SwapWaitNanoseconds - before.Machines[index].SwapWait > (now - before.Time) / 2;
    }
}
