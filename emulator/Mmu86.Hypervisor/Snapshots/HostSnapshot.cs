using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>A whole host as a snapshot, between two quanta: what runs on from it gives the same results, to the last count, as if nothing had been.</summary>
/// <remarks>
/// Every frame of the host is the one that it was, so nested tables are saved as bytes among the others, and whose a frame is follows from them: each machine claims
/// what its tables lead to. docs/hypervisor/snapshots.md has the format.
/// </remarks>
public static class HostSnapshot
{
    /// <summary>Writes a host with all of its machines.</summary>
    /// <param name="writer">Where to; the caller completes it.</param>
    /// <param name="scheduler">The host's. It may run on.</param>
    /// <param name="records">What is kept beside it.</param>
    /// <exception cref="IOException">It cannot be written, or a page cannot be read from the swap device or a guest's disk.</exception>
    /// <exception cref="InvalidOperationException">Something is under way that cannot be saved.</exception>
    public static void Write(SnapshotWriter writer, HostScheduler scheduler, IHostRecords records)
    {
        HostFrameAllocator frames = scheduler.Host.Frames;
        var state = new StateWriter(ForgottenHostAddresses.All);
        records.Save(state);
        scheduler.Save(state);
        frames.Save(state);
        scheduler.Swap?.Save(state);
        scheduler.Sharing?.Save(state, Running(scheduler));
        writer.Write(state.Sections);
        for (int i = 0; i < scheduler.Machines.Count; i++)
        {
            ScheduledMachine machine = scheduler.Machines[i];
            ushort owner = machine.Guest?.Machine.Vpid ?? HostFrameAllocator.Nobody;
            var own = new StateWriter(new HostFrameNames(scheduler.Host.Memory, frames, owner)) { Prefix = PrefixOf(i) };
            records.SaveMachine(i, own);
            machine.Save(own);
            machine.Guest?.Machine.Memory.SaveOnHost(own);
            machine.Guest?.SaveState(own);
            writer.Write(own.Sections);
        }

        frames.SavePages(new PageSectionWriter(writer));
        scheduler.Swap?.SavePages(writer);
        for (int i = 0; i < scheduler.Machines.Count; i++)
            DiskSection.Write(writer, PrefixOf(i), scheduler.Machines[i].Guest?.Machine.Disk);
    }

    /// <summary>Makes a host what was written.</summary>
    /// <param name="reader">Where from.</param>
    /// <param name="scheduler">That of a host of which nothing is used yet, with equal machines, none of which has started. To be thrown away where this fails.</param>
    /// <param name="records">What was kept beside it.</param>
    /// <exception cref="StateFormatException">It is broken, or the snapshot of another host.</exception>
    /// <exception cref="RestoredPageException">A page cannot be written to the swap device or a guest's disk.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static void Read(SnapshotReader reader, HostScheduler scheduler, IHostRecords records)
    {
        List<StateSection> sections = [];
        bool isMore;
        StateSection section;
        while ((isMore = reader.TryRead(out section)) && !IsPages(section))
            sections.Add(section);
        var state = new StateReader(sections, ForgottenHostAddresses.All);
        records.Load(state);
        for (int i = 0; i < scheduler.Machines.Count; i++)
            records.LoadMachine(i, Of(scheduler, sections, i));
        try
        {
            Load(reader, scheduler, state, sections, isMore, section);
        }
        catch
        {
            foreach (ScheduledMachine machine in scheduler.Machines)
                machine.Forsake();
            throw;
        }
    }

    private static void Load(SnapshotReader reader, HostScheduler scheduler, StateReader state, List<StateSection> sections, bool isMore, StateSection section)
    {
        ushort lastOwner = scheduler.Load(state);
        for (int i = 0; i < scheduler.Machines.Count; i++)
            scheduler.Machines[i].Load(Of(scheduler, sections, i), scheduler.Host);
        scheduler.Host.LastOwner = lastOwner;
        scheduler.Host.Frames.Forget();
        scheduler.Host.Frames.Load(state);
        scheduler.Swap?.Load(state);
        for (; isMore; isMore = reader.TryRead(out section))
        {
            if (!IsPages(section))
                throw new StateFormatException($"section '{section.Name}': stands behind the pages");
            if (DiskSection.Is(section))
                DiskSection.Load(section, DiskOf(scheduler, section));
            else if (PageSection.Is(section))
                PageSection.Load(section, scheduler.Host.Frames.TryLoadPage);
            else if (PoolSection.Is(section) && scheduler.Swap is { } swap)
                swap.LoadPool(section);
            else
                PageSection.Load(section, (slot, bytes) => scheduler.Swap?.TryLoadPage(slot, bytes) == true);
        }

        scheduler.Swap?.RequireAllPages();
        LoadMachines(scheduler, state, sections);
    }

    private static void LoadMachines(HostScheduler scheduler, StateReader state, List<StateSection> sections)
    {
        for (int i = 0; i < scheduler.Machines.Count; i++)
        {
            if (scheduler.Machines[i].Guest is { } guest)
                guest.Machine.Memory.LoadOnHost(Of(scheduler, sections, i));
        }

        if (scheduler.Swap?.TryClaimFrames() == false)
            throw new StateFormatException("section 'swap', field 'reserved': has a frame that the host does not have to give");
        if (!scheduler.Host.Frames.IsComplete)
            throw new StateFormatException("section 'host-frames', field 'freeFrames': lacks frames that are nobody's");
        scheduler.Sharing?.Load(state, Running(scheduler));
        for (int i = 0; i < scheduler.Machines.Count; i++)
        {
            ScheduledMachine machine = scheduler.Machines[i];
            if (machine.Guest is not { } guest)
                continue;
            guest.LoadState(Of(scheduler, sections, i));
            if (!machine.IsAtItsTime)
                throw new StateFormatException($"section '{PrefixOf(i)}schedule', field 'instructions': the host or the policy is ahead of what the guest has done");
            if (machine.Store is not null && !machine.Chooser.Agrees(guest.Machine.Memory))
                throw new StateFormatException($"section '{PrefixOf(i)}schedule', field 'frame': the policy knows other frames as resident than those that are");
        }
    }

    private static VirtualMachine[] Running(HostScheduler scheduler) =>
        [.. scheduler.Machines.Where(machine => machine.Guest is not null).Select(machine => machine.Guest!.Machine)];

    private static bool IsPages(in StateSection section) => PageSection.Is(section) || PageSection.IsOfSwap(section) || PoolSection.Is(section) || DiskSection.Is(section);

    private static GuestDisk? DiskOf(HostScheduler scheduler, StateSection section)
    {
        for (int i = 0; i < scheduler.Machines.Count; i++)
        {
            if (section.Name == DiskSection.NameOf(PrefixOf(i)))
                return scheduler.Machines[i].Guest?.Machine.Disk;
        }

        return null;
    }

    private static string PrefixOf(int machine) => $"m{machine}-";

    private static StateReader Of(HostScheduler scheduler, List<StateSection> sections, int machine)
    {
        ushort owner = scheduler.Machines[machine].Guest?.Machine.Vpid ?? HostFrameAllocator.Nobody;
        return new StateReader(sections, new HostFrameNames(scheduler.Host.Memory, scheduler.Host.Frames, owner)) { Prefix = PrefixOf(machine) };
    }
}
