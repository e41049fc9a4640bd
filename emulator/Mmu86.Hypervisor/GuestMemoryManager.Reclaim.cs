using System.Diagnostics;
using System.Numerics;
using Mmu86.Hypervisor.Replacement;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>Taking frames away, and what reclaim may know: accessed flags. Only while the machine does not run.</content>
public sealed partial class GuestMemoryManager
{
    // Whether the processor sets dirty flags: then a page that came back is known to be what its copy in the store is.
    private readonly bool _tracksDirt;

    // One more than the slot of a resident page that had its bytes when its dirty flag was last clear.
    private readonly FrameNotes _copies = new();

    /// <summary>Slots of the store that have copies of resident pages.</summary>
    public int CopiesStored { get; private set; }

    /// <summary>Moves frames to the page store and returns them to the host, with one invalidation for all of them.</summary>
    /// <param name="victims">Frames of the guest. Those that are not resident are passed over; a large page is split first.</param>
    /// <returns>How many were moved: fewer where the store takes no more.</returns>
    public int Evict(ReadOnlySpan<GuestFrameNumber> victims)
    {
        List<(HostPhysicalAddress, PageSize)> freed = [];
        foreach (GuestFrameNumber victim in victims)
        {
            if (StateOf(victim) != GuestFrameState.Resident || !TryFindSmall(victim.Address, out HostPhysicalAddress at))
                continue;
            ulong entry = _host.Read<ulong>(at);
            HostPhysicalAddress frame = Address(entry);
            if (!TryStore(victim, entry, out ulong slot))
                break;
            _host.Write(at, (slot << SlotShift) | SwappedMark);
            ForgetResident(victim.Address, Removal.Evicted);
            SwappedFrames++;
            Counts.SwappedOut++;
            freed.Add((frame, PageSize.Size4K));
        }

        Release(freed);
        return freed.Count;
    }

    /// <summary>Whether the processor used a frame since its flag was last cleared. A large page has one flag for all.</summary>
    /// <returns>False too for a frame that is not resident.</returns>
    public bool WasAccessed(GuestFrameNumber frame)
    {
        _ = FindEntry(frame.Address, out int level, out ulong entry);
        return IsLeaf(entry, level) && (entry & _format.Accessed) != 0;
    }

    /// <summary>The same, and clears the flag; a large page is split, so that each frame has one of its own.</summary>
    /// <remarks>Translations in TLBs would let accesses by without setting it again: <see cref="Settle"/> behind the last of several is what that costs.</remarks>
    public bool TestAndClearAccessed(GuestFrameNumber frame)
    {
        HostPhysicalAddress at = FindEntry(frame.Address, out int level, out ulong entry);
        if (!IsLeaf(entry, level) || (entry & _format.Accessed) == 0)
            return false;
        if (level > 1)
        {
            if (!TryFindSmall(frame.Address, out at))
                return true;
            entry = _host.Read<ulong>(at);
        }

        _host.Write(at, entry & ~_format.Accessed);
        Counts.AccessedFlagsCleared++;
        _isStale = true;
        return true;
    }

    /// <summary>The same for frames beside each other, whose entries are in one table.</summary>
    /// <param name="first">The first of them, a multiple of 64.</param>
    /// <param name="frames">A bit for each frame that is asked about, that of <paramref name="first"/> lowest.</param>
    /// <returns>A bit for each of these that was used.</returns>
    public ulong TestAndClearAccessed(GuestFrameNumber first, ulong frames)
    {
        HostPhysicalAddress at = FindEntry(first.Address, out int level, out ulong entry);
        if (level > 1)
        {
            if (!IsLeaf(entry, level) || (entry & _format.Accessed) == 0)
                return 0;
            if (!TryFindSmall(first.Address, out at))
                return frames;
        }

        ulong used = 0;
        for (ulong left = frames; left != 0; left &= left - 1)
        {
            int place = BitOperations.TrailingZeroCount(left);
            HostPhysicalAddress of = EntryAddress(at, place);
            entry = _host.Read<ulong>(of);
            if (!IsLeaf(entry, 1) || (entry & _format.Accessed) == 0)
                continue;
            _host.Write(of, entry & ~_format.Accessed);
            used |= 1UL << place;
        }

        Counts.AccessedFlagsCleared += (ulong)BitOperations.PopCount(used);
        _isStale |= used != 0;
        return used;
    }

    /// <summary>Whether evicting a frame needs a write: it differs from its copy in the store, or has none.</summary>
    public bool IsDirty(GuestFrameNumber frame)
    {
        _ = FindEntry(frame.Address, out _, out ulong entry);
        return (entry & _format.Dirty) != 0 || _copies.Read(frame.Value) == 0;
    }

    /// <summary>Writes a dirty frame to the store and lets it stay resident: until it is stored to again, evicting it needs no write.</summary>
    /// <remarks>Clearing its dirty flag costs an invalidation, as <see cref="TestAndClearAccessed"/> does.</remarks>
    /// <returns>False where nothing was written: it is clean or not resident, or the store takes no more.</returns>
    public bool TryClean(GuestFrameNumber frame)
    {
        if (!_tracksDirt || _store is null || StateOf(frame) != GuestFrameState.Resident || !IsDirty(frame)
            || !TryFindSmall(frame.Address, out HostPhysicalAddress at))
            return false;
        ForgetCopy(frame);
        ulong entry = _host.Read<ulong>(at);
        if (!_store.TryStore(_host.Frame(Address(entry).Frame), out ulong slot))
            return false;
        NoteCopy(frame, slot);
        Counts.Cleaned++;
        if ((entry & _format.Dirty) != 0)
        {
            _host.Write(at, entry & ~_format.Dirty);
            _isStale = true;
        }

        return true;
    }

    /// <summary>Finds the first resident frame from one on. Those that are shared are passed over.</summary>
    /// <returns>False where there is none up to the end of the guest's memory.</returns>
    public bool TryFindResident(GuestFrameNumber from, out GuestFrameNumber frame)
    {
        ulong at = from.Address.Value;
        while (at < _layout.Top.Value)
        {
            _ = FindEntry(new GuestPhysicalAddress(at), out int level, out ulong entry);
            if (IsLeaf(entry, level) && !IsShared(entry) && _host.IsRam(Address(entry)))
            {
                frame = new GuestPhysicalAddress(at).Frame;
                return true;
            }

            // Nothing below an entry that is absent; a level has nine bits.
            int shift = 12 + (9 * (level - 1));
            at = ((at >> shift) + 1) << shift;
        }

        frame = default;
        return false;
    }

    /// <summary>Every frame of the guest that is resident, in ascending order of guest frames.</summary>
    public IEnumerable<ResidentFrame> Residents() => Leaves(_root, RootLevel, 0).Where(leaf => !IsShared(leaf.Entry)).Select(leaf => leaf.Frame);

    /// <summary>Gives up everything: frames, tables, the root, swapped pages, the reserve. The memory is not usable behind it.</summary>
    /// <exception cref="UnreachableException">A frame is left over that nothing accounts for.</exception>
    public void Destroy()
    {
        StopDirtyLogging();
        List<(HostPhysicalAddress, PageSize)> freed = [];
        Collect(_root, RootLevel, freed);
        for (int index = 0; index < EntriesOfTable; index++)
            _host.Write(EntryAddress(_root, index), 0UL);
        freed.Add((_root, PageSize.Size4K));
        Release(freed);
        ForgetCopies();
        ResidentFrames = 0;
        SwappedFrames = 0;
        BalloonedFrames = 0;
        TableFrames = 0;
        _frames.TryReserve(0);
        if (_frames.Owned != 0)
            throw new UnreachableException($"Owner {_frames.Owner} was destroyed and still has {_frames.Owned} frames.");
    }

    // Where the bytes of a resident frame are kept: in the copy that it has, or a new one.
    private bool TryStore(GuestFrameNumber frame, ulong entry, out ulong slot)
    {
        if (!IsDirty(frame))
        {
            _ = TryTakeCopy(frame, out slot);
            Counts.SwappedOutClean++;
            return true;
        }

        slot = 0;
        if (_store is null)
            return false;
        ForgetCopy(frame);
        ReadOnlySpan<byte> page = _host.Frame(Address(entry).Frame);
        if (_store.TryStore(page, out slot))
            return true;

        // Copies are worth less than room.
        return ForgetCopies() && _store.TryStore(page, out slot);
    }

    // Somebody else than the processor writes the page, or clears its dirty flag.
    private void ForgetCopy(GuestFrameNumber frame)
    {
        if (TryTakeCopy(frame, out ulong slot))
            _store!.Free(slot);
    }

    private void NoteCopy(GuestFrameNumber frame, ulong slot)
    {
        _copies[frame.Value] = slot + 1;
        CopiesStored++;
    }

    private bool TryTakeCopy(GuestFrameNumber frame, out ulong slot)
    {
        slot = _copies.Read(frame.Value) - 1;
        if (slot == ulong.MaxValue)
            return false;
        _copies[frame.Value] = 0;
        CopiesStored--;
        return true;
    }

    private bool ForgetCopies()
    {
        bool any = CopiesStored != 0;
        foreach ((_, ulong slotAndOne) in _copies.All())
            _store!.Free(slotAndOne - 1);
        _copies.Clear();
        CopiesStored = 0;
        return any;
    }

    private void Collect(HostPhysicalAddress table, int level, List<(HostPhysicalAddress, PageSize)> freed)
    {
        for (int index = 0; index < EntriesOfTable; index++)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, index));
            if (entry is 0 or BalloonedMark)
                continue;
            if (!IsPresent(entry))
            {
                _store!.Free(entry >> SlotShift);
            }
            else if (!IsLeaf(entry, level))
            {
                Collect(Address(entry), level - 1, freed);
                freed.Add((Address(entry), PageSize.Size4K));
            }
            else if (IsShared(entry))
            {
                ForgetShared(Address(entry).Frame);
            }
            else if (_host.IsRam(Address(entry)))
            {
                freed.Add((Address(entry), (PageSize)(level - 1)));
            }
        }
    }

    private IEnumerable<(ResidentFrame Frame, ulong Entry)> Leaves(HostPhysicalAddress table, int level, ulong firstGuest)
    {
        int shift = 9 * (level - 1);
        for (int index = 0; index < EntriesOfTable; index++)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, index));
            ulong guest = firstGuest + ((ulong)index << shift);
            if (!IsPresent(entry))
                continue;
            if (!IsLeaf(entry, level))
            {
                foreach ((ResidentFrame, ulong) leaf in Leaves(Address(entry), level - 1, guest))
                    yield return leaf;
            }
            else if (_host.IsRam(Address(entry)))
            {
                for (ulong i = 0; i < 1UL << shift; i++)
                    yield return (new ResidentFrame(new GuestFrameNumber(guest + i), new HostFrameNumber(Address(entry).Frame.Value + i)), entry);
            }
        }
    }
}
