using Mmu86.Hypervisor.Snapshots;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>Guest memory in the saved state of a whole host: its tables are among the frames of the host, and every frame is the one that it was.</content>
public sealed partial class GuestMemoryManager
{
    private const string HostSection = "memory";

    /// <summary>The frame of the top table.</summary>
    internal HostPhysicalAddress RootAddress => _root;

    /// <summary>Writes the section <c>memory</c>: what the tables do not say.</summary>
    /// <exception cref="InvalidOperationException">Writes are logged.</exception>
    internal void SaveOnHost(StateWriter writer)
    {
        if (_dirtyLog is not null || _left.Count + _givenUp.Count != 0)
            throw new InvalidOperationException("Writes of the guest are logged, or frames are on their way.");
        writer.Begin(HostSection);
        Counts.Save(writer);
        SavePagesIn(writer, _pagesIn2M);
        SavePagesIn(writer, _pagesIn1G);
        SaveWhole(writer);
        writer.Write(_isStale);
        writer.Write(CopiesStored);
        foreach ((ulong frame, ulong slotAndOne) in _copies.All())
        {
            writer.Write(frame);
            writer.Write(slotAndOne - 1);
        }

        _frames.SaveReserve(writer);
        writer.End();
    }

    /// <summary>Gives everything up, the root too, so that the host can be restored. The machine has run nothing.</summary>
    /// <param name="root">Where the root will be.</param>
    internal void LetGo(HostPhysicalAddress root)
    {
        Forget();
        _frames.Return(PageSize.Size4K, _root);
        TableFrames = 0;
        _root = root;
    }

    /// <summary>Reads it back. The bytes of the host's frames are in place; those of this machine are claimed, as its tables say.</summary>
    /// <exception cref="StateFormatException">The tables lead where the machine has nothing.</exception>
    internal void LoadOnHost(StateReader reader)
    {
        reader.Open(HostSection);
        Counts.Load(reader);
        Dictionary<ulong, int> pagesIn2M = LoadPagesIn(reader, "pagesIn2M"), pagesIn1G = LoadPagesIn(reader, "pagesIn1G");
        List<(GuestPhysicalAddress Start, PageSize Size)> whole = LoadWhole(reader);
        _isStale = reader.ReadBoolean("stale");
        HashSet<ulong> slots = [];
        if (!_frames.TryClaim(PageSize.Size4K, _root))
            throw reader.Refuse("root", $"is {_root}, which the host does not have to give");
        TableFrames = 1;
        ClaimTable(reader, _root, RootLevel, 0, slots);
        LoadCopies(reader, slots);
        _frames.LoadReserve(reader);
        if (!_frames.TryClaimReserve())
            throw reader.Refuse("reserved", "has a frame that the host does not have to give");
        reader.Close();
        Replace(_pagesIn2M, pagesIn2M);
        Replace(_pagesIn1G, pagesIn1G);
        _whole.Clear();
        whole.ForEach(_whole.Enqueue);
        _hasSameFrames = true;
    }

    private void LoadCopies(StateReader reader, HashSet<ulong> slots)
    {
        for (int left = reader.ReadInt32("copies", 0, (int)Math.Min(int.MaxValue, ResidentFrames)); left > 0; left--)
        {
            ulong frame = reader.ReadUInt64("copied", 0, (GuestPhysicalEnd >> 12) - 1);
            if (!IsFrame(new GuestFrameNumber(frame)) || StateOf(new GuestFrameNumber(frame)) != GuestFrameState.Resident
                || _copies.Read(frame) != 0)
                throw reader.Refuse("copied", $"is frame 0x{frame:x}, which is not resident, or is there twice");
            NoteCopy(new GuestFrameNumber(frame), ClaimSlot(reader, "copy", reader.ReadUInt64("copy"), slots));
        }
    }

    // Zeros have one slot for all of them.
    private ulong ClaimSlot(StateReader reader, string field, ulong slot, HashSet<ulong> slots)
    {
        bool isZeroPage = slot == Swap.SwapSlot.ZeroPage.Packed;
        return _store is not null && _store.Holds(slot) && (slots.Add(slot) || isZeroPage)
            ? slot
            : throw reader.Refuse(field, $"leads to slot 0x{slot:x}, which is not the machine's, or is another page's too");
    }

    private void ClaimTable(StateReader reader, HostPhysicalAddress table, int level, ulong firstGuest, HashSet<ulong> slots)
    {
        for (int index = 0; index < EntriesOfTable; index++)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, index));
            var guest = new GuestPhysicalAddress(firstGuest + ((ulong)index << (12 + (9 * (level - 1)))));
            if (entry == 0)
                continue;
            if (!IsPresent(entry))
                ClaimAbsent(reader, guest, level, entry, slots);
            else if (!IsLeaf(entry, level))
                ClaimTableOf(reader, guest, level, entry, slots);
            else
                ClaimPage(reader, guest, level, entry);
        }
    }

    private void ClaimAbsent(StateReader reader, GuestPhysicalAddress guest, int level, ulong entry, HashSet<ulong> slots)
    {
        if (level != 1 || !_layout.IsRam(guest, 4096) || (entry != BalloonedMark && (entry & 0xFFF) != SwappedMark))
            throw reader.Refuse("entry", $"of {guest} is 0x{entry:x}, which is none of a frame of RAM");
        if (entry == BalloonedMark)
        {
            BalloonedFrames++;
            return;
        }

        _ = ClaimSlot(reader, "entry", entry >> SlotShift, slots);
        SwappedFrames++;
    }

    private void ClaimTableOf(StateReader reader, GuestPhysicalAddress guest, int level, ulong entry, HashSet<ulong> slots)
    {
        if ((entry & ~EptEntry.AddressMask & ~(_format.Accessed | _format.Dirty)) != _format.Table || !_frames.TryClaim(PageSize.Size4K, Address(entry)))
            throw reader.Refuse("entry", $"of {guest} at level {level} is 0x{entry:x}, and leads to no table that the host has to give");
        TableFrames++;
        ClaimTable(reader, Address(entry), level - 1, guest.Value, slots);
    }

    private void ClaimPage(StateReader reader, GuestPhysicalAddress guest, int level, ulong entry)
    {
        var size = (PageSize)(level - 1);
        ulong flags = entry & ~EptEntry.AddressMask & ~(_format.Accessed | _format.Dirty) & ~(level > 1 ? EptEntry.PageSizeBit : 0);
        bool isShared = IsShared(entry);
        bool isKnown = flags == (isShared ? (_format.Page & ~_format.Write) | SharedMark : _format.Page);
        HostPhysicalAddress address = Address(entry);
        if (!isKnown || level > 3 || size > _largestPage)
        {
            throw reader.Refuse("entry", $"of {guest} at level {level} is 0x{entry:x}, which is no page");
        }
        else if (!_layout.IsRam(guest, size.Bytes()))
        {
            // A device: an address there is no RAM here.
            if (isShared || level != 1 || _layout.IsRam(guest, 1) || address.Value is < HostMemory.HoleStart or >= HostMemory.HoleEnd)
                throw reader.Refuse("entry", $"of {guest} is 0x{entry:x}, which is none of a device");
        }
        else if (isShared)
        {
            if (level != 1 || !_frames.TryClaimShared(address.Frame))
                throw reader.Refuse("entry", $"of {guest} is 0x{entry:x}, which leads to no frame that can be shared");
            SharedFrames++;
        }
        else
        {
            if (!_frames.TryClaim(size, address))
                throw reader.Refuse("entry", $"of {guest} is 0x{entry:x}, which leads to frames that the host does not have to give");
            ResidentFrames += size.Bytes() >> 12;
        }
    }
}
