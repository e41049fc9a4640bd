using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Hypervisor.Swap;
using Mmu86.Lab.Scenarios;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.HostSoak;

/// <summary>Looks at a whole host at barriers: at what its books say, and at what its machines' processors can reach.</summary>
internal sealed unsafe class HostInspection(VirtualHost host, HostScheduler scheduler, SwapSpace? space, HostSwap? swap, RememberingPageStore?[] stores, Random random)
{
    // All of the first barriers, when machines start, and some of the others.
    private const int FirstBarriers = 4;
    private const int OneIn = 40;
    private const int MostPagesInspected = 60;

    private readonly Dictionary<ScheduledMachine, HashSet<ulong>> _pages = [];
    private int _barriers;

    /// <summary>Barriers that were looked at.</summary>
    public int Checks { get; private set; }

    /// <summary>A barrier: no machine runs.</summary>
    public void Barrier()
    {
        if (_barriers++ >= FirstBarriers && random.Next(OneIn) != 0)
            return;
        Checks++;
        HashSet<HostFrameNumber> owned = [];
        ulong frames = (ulong)(swap?.FramesUsed ?? 0) + host.Frames.SharedFrames;
        for (int i = 0; i < scheduler.Machines.Count; i++)
        {
            if (scheduler.Machines[i].Guest is not ScenarioGuest guest)
                continue;
            CheckBooks(guest.Machine, i, owned);
            CheckReach(scheduler.Machines[i], guest);
            frames += guest.Machine.Frames.Owned;
        }

        Assert.Equal(host.Frames.FramesUsed, frames);
        SharingVerifier.Verify(host, scheduler.Machines.Where(machine => machine.Guest is not null).Select(machine => machine.Guest!.Machine), scheduler.Sharing);
    }

    private void CheckBooks(VirtualMachine machine, int index, HashSet<HostFrameNumber> owned)
    {
        GuestMemoryManager memory = machine.Memory;
        ulong residents = 0;
        foreach (ResidentFrame frame in memory.Residents())
        {
            if (!owned.Add(frame.Host) || host.Frames.OwnerOf(frame.Host) != machine.Vpid)
                Assert.Fail($"{frame.Host.Address} of machine {index} is mapped twice, or owner {host.Frames.OwnerOf(frame.Host)}'s");
            residents++;

            // Evicted now, it would not be written.
            if (!memory.IsDirty(frame.Guest) && !stores[index]!.Has(host.Memory.Frame(frame.Host)))
                Assert.Fail($"{frame.Guest.Address} of machine {index} is said to be clean, and no stored page is the same");
        }

        ulong swapped = 0;
        ulong ballooned = 0;
        for (ulong frame = 0; frame < memory.SizeInBytes >> 12; frame++)
        {
            GuestFrameState state = memory.StateOf(new GuestFrameNumber(frame));
            swapped += state == GuestFrameState.Swapped ? 1UL : 0;
            ballooned += state == GuestFrameState.Ballooned ? 1UL : 0;
        }

        Assert.Equal((residents, swapped, ballooned), (memory.ResidentFrames, memory.SwappedFrames, memory.BalloonedFrames));
        Assert.Equal(residents + memory.TableFrames + (ulong)machine.Frames.Reserved, machine.Frames.Owned);
        if (space?.CountsOf(index) is { } counts)
            Assert.Equal(counts.SlotsUsed + counts.ZeroPages, swapped + (ulong)memory.CopiesStored);
    }

    // Nothing that the processor remembers may lead to a frame that the tables do not lead to, and no right to write to a shared one.
    private void CheckReach(ScheduledMachine scheduled, ScenarioGuest guest)
    {
        GuestMemoryManager memory = guest.Machine.Memory;
        HashSet<ulong> own = [.. memory.Residents().Select(frame => frame.Host.Value)];
        HashSet<ulong> shared = [.. memory.SharedLeaves().Select(frame => frame.Host.Value)];
        for (ulong frame = 0; frame < HostFrameAllocator.FrameLimit(host.Memory); frame++)
        {
            if (guest.Machine.View.CodeLines(new HostFrameNumber(frame)) != 0)
                Require(own.Contains(frame) || shared.Contains(frame), frame, $"decoded code");
        }

        if (!_pages.TryGetValue(scheduled, out HashSet<ulong>? pages))
            _pages.Add(scheduled, pages = []);
        CheckFilter(guest.Processor.Mmu.Filter, guest.Machine.View, own, shared, pages);
        ulong[] some = [.. pages];
        int first = some.Length <= MostPagesInspected ? 0 : random.Next(some.Length - MostPagesInspected);
        foreach (ulong page in some.Skip(first).Take(MostPagesInspected))
        {
            foreach (AccessKind kind in new[] { AccessKind.Read, AccessKind.Write, AccessKind.Fetch })
            {
                WalkTrace trace = guest.Processor.Mmu.Inspect(new LinearAddress(page), kind, guest.Guest.CurrentMode);
                foreach (WalkReference step in trace.References)
                {
                    if (step.Entry is { } entry)
                        Require(host.Frames.OwnerOf(entry.Frame) == guest.Machine.Vpid || shared.Contains(entry.Frame.Value), entry.Frame.Value, $"the walk of {page:X} at level {step.Level}");
                }

                if (trace.HostPhysical is not { } at || !host.Memory.IsRam(at) || trace.Fault is not null)
                    continue;
                Require(own.Contains(at.Frame.Value) || (kind != AccessKind.Write && shared.Contains(at.Frame.Value)), at.Frame.Value, $"a {kind} of {page:X} ({trace.Hit})");
            }
        }
    }

    private void CheckFilter(TranslationFilter filter, HostMemory view, HashSet<ulong> own, HashSet<ulong> shared, HashSet<ulong> pages)
    {
        for (int table = 0; table < (2 * TranslationFilter.Banks) + 2; table++)
        {
            // SAFETY: the tables lie one after the other, fetches' behind those of data.
            FilterSlot* slots = filter.DataTable(AccessMode.User) + (table * filter.Slots);
            for (int i = 0; i < filter.Slots; i++)
            {
                if (slots[i].Tag == TranslationFilter.Empty)
                    continue;
                ulong page = slots[i].Tag & ~0xFFFUL;
                pages.Add(page);
                if (table >= 2 * TranslationFilter.Banks)
                    continue;
                ulong frame = (slots[i].Payload + page - (ulong)view.Base) >> 12;
                Require(own.Contains(frame) || (table % 2 == 0 && shared.Contains(frame)), frame, $"the filter's table {table} for {page:X}");
            }
        }
    }

    // Asked too often for a text that nobody reads.
    private void Require(bool holds, ulong frame, FormattableString who)
    {
        if (!holds)
            Assert.Fail($"{who} leads to frame {frame:X} of owner {host.Frames.OwnerOf(new HostFrameNumber(frame))}");
    }
}
