using Mmu86.Hypervisor.Replacement;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>What the guest gives up by itself: frames in its balloon, and frames that it reports as free. Only while the machine does not run.</content>
public sealed partial class GuestMemoryManager
{
    // Another ignored bit of entries that are not present; such an entry has no other.
    private const ulong BalloonedMark = 1UL << 9;

    /// <summary>Frames of 4 KiB that are in the guest's balloon.</summary>
    public ulong BalloonedFrames { get; private set; }

    /// <summary>Takes frames for the balloon, whatever state they are in: their bytes are lost. One invalidation for all of them.</summary>
    /// <param name="frames">The guest's word: any numbers, in any order. A large page is split first.</param>
    public BalloonOutcome Balloon(ReadOnlySpan<GuestFrameNumber> frames)
    {
        BalloonOutcome outcome = default;
        List<(HostPhysicalAddress, PageSize)> freed = [];
        foreach (GuestFrameNumber frame in frames)
        {
            GuestPhysicalAddress address = frame.Address;
            if (!IsFrame(frame))
            {
                outcome.OutsideMemory++;
                continue;
            }

            if (!TryReachSmall(address, out HostPhysicalAddress at))
            {
                outcome.WithoutTable++;
                continue;
            }

            if (_host.Read<ulong>(at) == BalloonedMark)
            {
                outcome.Repeated++;
                continue;
            }

            GiveUp(at, address, freed);
            _host.Write(at, BalloonedMark);
            BalloonedFrames++;
            outcome.Taken++;
        }

        Release(freed);
        Counts.Ballooned += outcome.Taken;
        return outcome;
    }

    /// <summary>Whether the guest has a frame of that number: of its RAM.</summary>
    public bool IsFrame(GuestFrameNumber frame) => _layout.IsRam(frame.Address, 4096);

    /// <summary>The guest uses a frame of its balloon again: it is unpopulated.</summary>
    /// <returns>False where it is not in the balloon, or no frame of the guest's.</returns>
    public bool Deflate(GuestFrameNumber frame)
    {
        if (!IsFrame(frame))
            return false;
        HostPhysicalAddress at = FindEntry(frame.Address, out _, out ulong entry);
        if (entry != BalloonedMark)
            return false;
        _host.Write(at, 0UL);
        BalloonedFrames--;
        Counts.Deflated++;
        return true;
    }

    /// <summary>The guest reports memory as free: its bytes are lost, its frames return to the host, and what is touched again is fresh.</summary>
    /// <param name="start">The guest's word. Frames that are there in part only stay.</param>
    /// <param name="length">In bytes.</param>
    /// <returns>False where it is not all the guest's RAM: nothing is done then. A large page that cannot be split stays, which is allowed.</returns>
    public bool ReportFree(GuestPhysicalAddress start, ulong length)
    {
        if (!_layout.IsRam(start, length))
            return false;
        List<(HostPhysicalAddress Start, PageSize Size)> freed = [];
        ulong at = (start.Value + 0xFFF) & ~0xFFFUL;
        ulong end = (start.Value + length) & ~0xFFFUL;
        while (at < end)
        {
            var address = new GuestPhysicalAddress(at);
            HostPhysicalAddress found = FindEntry(address, out int level, out ulong entry);
            ulong bytes = 1UL << (12 + (9 * (level - 1)));
            bool isWhole = (at & (bytes - 1)) == 0 && end - at >= bytes;
            if (IsLeaf(entry, level) && !isWhole && TrySplitOnce(address))
                continue;
            if (entry is not (0 or BalloonedMark) && isWhole)
            {
                if (level == 1)
                {
                    GiveUp(found, address, freed);
                }
                else
                {
                    ForgetLarge(address, (PageSize)(level - 1));
                    freed.Add((Address(entry), (PageSize)(level - 1)));
                }

                _host.Write(found, 0UL);
                Counts.ReportedFree += bytes >> 12;
            }

            at = (at | (bytes - 1)) + 1;
        }

        Release(freed);
        return true;
    }

    // Lets go of what an entry of 4 KiB leads to: a frame, or a slot of the store. The entry is the caller's to write.
    private void GiveUp(HostPhysicalAddress at, GuestPhysicalAddress address, List<(HostPhysicalAddress, PageSize)> freed)
    {
        ulong entry = _host.Read<ulong>(at);
        if (entry != 0)
            _dirtyLog?.Add(address.Frame);
        if (IsPresent(entry) && IsShared(entry))
        {
            ForgetShared(Address(entry).Frame);
        }
        else if (IsPresent(entry))
        {
            ForgetResident(address, Removal.Discarded);
            ForgetCopy(address.Frame);
            freed.Add((Address(entry), PageSize.Size4K));
        }
        else if (entry != 0)
        {
            _store!.Free(entry >> SlotShift);
            SwappedFrames--;
        }
    }

    private void ForgetLarge(GuestPhysicalAddress address, PageSize size)
    {
        ulong frames = size.Bytes() >> 12;
        ResidentFrames -= frames;
        for (ulong frame = address.Frame.Value; frame < address.Frame.Value + frames; frame++)
        {
            _residency?.LeftResidence(new GuestFrameNumber(frame), Removal.Discarded);
            ForgetCopy(new GuestFrameNumber(frame));
        }

        if (size == PageSize.Size2M)
            Add(_pagesIn1G, address, PageSize.Size1G, -1);
    }

    private void NoteBalloonedTouched(ulong entry)
    {
        if (entry != BalloonedMark)
            return;
        BalloonedFrames--;
        Counts.BalloonedTouched++;
    }

    // Splitting takes only what is free. To make a frame free for it, reclaim may split the same page, or take it: look again.
    private bool TryMakeRoom()
    {
        if (!_frames.TryTake(PageSize.Size4K, out HostPhysicalAddress frame))
            return false;
        _frames.Return(PageSize.Size4K, frame);
        return true;
    }

    // The entry of 4 KiB of an address, with tables made on the way. False where a table is not to be had.
    private bool TryReachSmall(GuestPhysicalAddress address, out HostPhysicalAddress at)
    {
        while (true)
        {
            at = FindEntry(address, out int level, out ulong entry);
            if (level == 1)
                return true;
            if (IsLeaf(entry, level))
            {
                if (!TrySplitOnce(address) && !TryMakeRoom())
                    return false;
            }
            else if (TryTakeTable(out HostPhysicalAddress table))
            {
                _host.Write(at, table.Value | _format.Table);
            }
            else
            {
                return false;
            }
        }
    }
}
