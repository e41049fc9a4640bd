using Mmu86.Hypervisor.Frames;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>Takes shared frames where nobody has another that may go: from all who share one, for it is free only behind the last.</summary>
internal static class SharedReclaim
{
    /// <summary>Makes frames free, those first that the fewest entries lead to: each entry costs a write now and a read later.</summary>
    /// <param name="frames">The frames of the host.</param>
    /// <param name="machines">Its machines. What one with no store, or with no more than its minimum, has a share in stays.</param>
    /// <param name="wanted">How many are to be free.</param>
    /// <param name="now">Virtual nanoseconds.</param>
    public static void Free(HostFrameAllocator frames, IReadOnlyList<ScheduledMachine> machines, ulong wanted, ulong now)
    {
        if (frames.SharedFrames == 0)
            return;
        foreach ((HostFrameNumber frame, List<(ScheduledMachine Machine, GuestFrameNumber Guest)> sharers) in
            Sharers(machines).OrderBy(pair => pair.Value.Count).ThenBy(pair => pair.Key.Value))
        {
            if (frames.FramesFree >= wanted)
                return;
            if (!sharers.TrueForAll(sharer => MayLose(sharer.Machine)))
                continue;
            foreach ((ScheduledMachine machine, GuestFrameNumber guest) in sharers)
            {
                machine.Store!.Now = Math.Max(machine.Store.Now, now);
                if (machine.Guest!.Machine.Memory.EvictShared(guest) == 0)
                    return; // the store takes no more
            }
        }
    }

    private static bool MayLose(ScheduledMachine machine) =>
        machine.Store is not null && machine.Guest!.Machine.Memory is var memory && memory.ResidentFrames + memory.SharedFrames > machine.LeastFrames;

    private static Dictionary<HostFrameNumber, List<(ScheduledMachine Machine, GuestFrameNumber Guest)>> Sharers(IReadOnlyList<ScheduledMachine> machines)
    {
        Dictionary<HostFrameNumber, List<(ScheduledMachine, GuestFrameNumber)>> found = [];
        foreach (ScheduledMachine machine in machines)
        {
            if (machine.Guest is null)
                continue;
            foreach (ResidentFrame leaf in machine.Guest.Machine.Memory.SharedLeaves())
            {
                if (!found.TryGetValue(leaf.Host, out List<(ScheduledMachine, GuestFrameNumber)>? sharers))
                    found.Add(leaf.Host, sharers = []);
                sharers.Add((machine, leaf.Guest));
            }
        }

        return found;
    }
}
