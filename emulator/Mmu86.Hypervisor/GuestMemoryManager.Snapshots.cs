using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>Guest memory in a saved state: the tables with their flags, and the bytes of frames. Only while the machine does not run.</content>
public sealed partial class GuestMemoryManager
{
    private const string Section = "nested";
    private const int MostWhole = 1 << 24;

    // Swapped frames whose bytes have not been loaded yet.
    private readonly HashSet<ulong> _awaited = [];

    // Whether every frame is the one that it was when the state was saved from which this memory was restored.
    private bool _hasSameFrames;

    /// <summary>Whether frames that were shared have frames of their own since the memory was restored: what was cached of the old ones means nothing.</summary>
    public bool WasUnshared { get; private set; }

    // What an entry of a saved table is.
    private enum Entry : byte
    {
        Table,
        Page,
        Device,
        Swapped,
        Ballooned,
        Shared,
    }

    /// <summary>What the host-physical addresses of the machine are called as the tables are now.</summary>
    public IHostAddressNames NameAddresses()
    {
        var names = new NestedAddresses(_host, this, _hasSameFrames);
        Name(_root, RootLevel, 0, names);
        return names;
    }

    /// <summary>Gives up every page and every table but the root: as the memory was made. The machine has run nothing, or its MMUs are told.</summary>
    public void Forget()
    {
        foreach (ResidentFrame frame in Residents())
            _residency?.LeftResidence(frame.Guest, Removal.Discarded);
        List<(HostPhysicalAddress, PageSize)> freed = [];
        Collect(_root, RootLevel, freed);
        for (int index = 0; index < EntriesOfTable; index++)
            _host.Write(EntryAddress(_root, index), 0UL);
        Release(freed);
        ForgetCopies();
        _frames.TryReserve(0);
        ResidentFrames = 0;
        SwappedFrames = 0;
        BalloonedFrames = 0;
        TableFrames = 1;
        _pagesIn2M.Clear();
        _pagesIn1G.Clear();
        _whole.Clear();
        _awaited.Clear();
    }

    /// <summary>Writes the section <c>nested</c>: the state of every guest frame, page sizes, accessed and dirty flags, and which frame of the host each is.</summary>
    public void SaveTables(StateWriter writer)
    {
        writer.Begin(Section);
        Counts.Save(writer);
        SavePagesIn(writer, PagesIn2MAlone());
        SavePagesIn(writer, _pagesIn1G);
        SaveWhole(writer);
        writer.Write((_rootFlags & _format.TrackingRootFlags) != 0);
        writer.Write(_root.Value);
        SaveTable(writer, _root, RootLevel);
        writer.End();
    }

    /// <summary>Writes the bytes of every frame that is resident or swapped.</summary>
    /// <exception cref="SwappedPageLostException">A swapped page cannot be got back.</exception>
    public void SavePages(PageSectionWriter writer)
    {
        Span<byte> page = stackalloc byte[4096];
        foreach ((ulong guest, ulong entry) in Leaves4K(_root, RootLevel, 0))
        {
            if (IsPresent(entry))
            {
                writer.Add(guest, _host.Frame(Address(entry).Frame));
                continue;
            }

            PageLoad load = _store!.Load(entry >> SlotShift, page);
            if (load != PageLoad.Done)
                throw new SwappedPageLostException(new GuestFrameNumber(guest).Address, load == PageLoad.Corrupt ? PopulateResult.Corrupt : PopulateResult.Unreadable);
            writer.Add(guest, page);
        }

        writer.Flush();
    }

    /// <summary>Makes the tables that <see cref="SaveTables"/> wrote. Memory was just made, or forgotten; frames hold zeros till <see cref="TryLoadPage"/>.</summary>
    /// <exception cref="StateFormatException">They are the tables of other memory, or broken.</exception>
    /// <exception cref="HostMemoryExhaustedException">The host has too few frames, or no run of them for a large page.</exception>
    public void LoadTables(StateReader reader, FramePlacement placement)
    {
        Forget();
        WasUnshared = false;
        reader.Open(Section);
        Counts.Load(reader);
        ulong invalidations = Counts.Invalidations;
        Dictionary<ulong, int> pagesIn2M = LoadPagesIn(reader, "pagesIn2M"), pagesIn1G = LoadPagesIn(reader, "pagesIn1G");
        List<(GuestPhysicalAddress Start, PageSize Size)> whole = LoadWhole(reader);
        if (reader.ReadBoolean("tracksAccesses") != ((_rootFlags & _format.TrackingRootFlags) != 0))
            throw reader.Refuse("tracksAccesses", "is another than here: a machine that ran alone is not one that ran beside others");
        ulong root = reader.ReadUInt64("root");
        if (placement == FramePlacement.Same && root != _root.Value)
            throw reader.Refuse("root", $"is H:0x{root:x}, and here it is {_root}");
        LoadTable(reader, _root, RootLevel, 0, placement);
        reader.Close();
        _hasSameFrames = placement == FramePlacement.Same;
        Replace(_pagesIn2M, pagesIn2M);
        Replace(_pagesIn1G, pagesIn1G);
        _whole.Clear();
        whole.ForEach(_whole.Enqueue);
        Counts.Invalidations = invalidations;
    }

    /// <summary>Puts the bytes of a frame in their place: a frame of the host, or the page store.</summary>
    /// <returns>False where the guest has no such frame.</returns>
    /// <exception cref="HostMemoryExhaustedException">The page store is full.</exception>
    public bool TryLoadPage(ulong frame, ReadOnlySpan<byte> bytes)
    {
        if (frame >= GuestPhysicalEnd >> 12)
            return false;
        var address = new GuestFrameNumber(frame).Address;
        if (_awaited.Remove(frame))
        {
            StoreAway(address, bytes);
            return true;
        }

        if (!_layout.IsRam(address, 4096) || !TryTranslate(address, out HostPhysicalAddress host))
            return false;
        _host.Write(host, bytes);
        return true;
    }

    /// <summary>Every page was loaded: swapped frames that had none are zeros.</summary>
    /// <exception cref="HostMemoryExhaustedException">The page store is full.</exception>
    public void CompletePages()
    {
        Span<byte> zeros = stackalloc byte[4096];
        zeros.Clear();
        foreach (ulong frame in _awaited.Order())
            StoreAway(new GuestFrameNumber(frame).Address, zeros);
        _awaited.Clear();
    }

    private static void Replace(Dictionary<ulong, int> counts, Dictionary<ulong, int> by)
    {
        counts.Clear();
        foreach ((ulong range, int count) in by)
            counts.Add(range, count);
    }

    // As if what is shared were the guest's own.
    private Dictionary<ulong, int> PagesIn2MAlone()
    {
        if (SharedFrames == 0 || PageSize.Size2M > _largestPage)
            return _pagesIn2M;
        Dictionary<ulong, int> pages = new(_pagesIn2M);
        foreach (ResidentFrame frame in SharedLeaves())
        {
            ulong range = frame.Guest.Address.Value >> PageSize.Size2M.Shift();
            pages[range] = pages.GetValueOrDefault(range) + 1;
        }

        return pages;
    }

    private void SaveWhole(StateWriter writer)
    {
        writer.Write(_whole.Count);
        foreach ((GuestPhysicalAddress start, PageSize size) in _whole)
        {
            writer.Write(start.Value);
            writer.Write((byte)size);
        }
    }

    private static List<(GuestPhysicalAddress Start, PageSize Size)> LoadWhole(StateReader reader)
    {
        List<(GuestPhysicalAddress, PageSize)> whole = [];
        for (int left = reader.ReadInt32("whole", 0, MostWhole); left > 0; left--)
        {
            var start = new GuestPhysicalAddress(reader.ReadUInt64("wholeStart", 0, GuestPhysicalEnd - 1));
            var size = (PageSize)reader.ReadByte("wholeSize");
            if (size is not (PageSize.Size2M or PageSize.Size1G) || (start.Value & size.OffsetMask()) != 0)
                throw reader.Refuse("wholeSize", "is none of a large page");
            whole.Add((start, size));
        }

        return whole;
    }

    private static void SavePagesIn(StateWriter writer, Dictionary<ulong, int> pages)
    {
        writer.Write(pages.Count);
        foreach ((ulong range, int count) in pages.OrderBy(pair => pair.Key))
        {
            writer.Write(range);
            writer.Write(count);
        }
    }

    private static Dictionary<ulong, int> LoadPagesIn(StateReader reader, string field)
    {
        Dictionary<ulong, int> pages = [];
        for (int left = reader.ReadInt32(field, 0, MostWhole); left > 0; left--)
        {
            if (!pages.TryAdd(reader.ReadUInt64(field), reader.ReadInt32(field, 0, EntriesOfTable)))
                throw reader.Refuse(field, "has a range twice");
        }

        return pages;
    }

    private void Name(HostPhysicalAddress table, int level, ulong firstGuest, NestedAddresses names)
    {
        names.AddTable(table, level, firstGuest);
        int shift = 12 + (9 * (level - 1));
        for (int index = 0; index < EntriesOfTable; index++)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, index));
            ulong guest = firstGuest + ((ulong)index << shift);
            if (!IsPresent(entry))
                continue;
            if (!IsLeaf(entry, level))
                Name(Address(entry), level - 1, guest, names);
            else if (_host.IsRam(Address(entry)))
                names.AddPage(Address(entry), guest);
        }
    }

    // Present entries of RAM as if all were of 4 KiB, and swapped ones.
    private IEnumerable<(ulong Guest, ulong Entry)> Leaves4K(HostPhysicalAddress table, int level, ulong firstGuest)
    {
        int shift = 9 * (level - 1);
        for (int index = 0; index < EntriesOfTable; index++)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, index));
            ulong guest = firstGuest + ((ulong)index << shift);
            if (entry is 0 or BalloonedMark)
                continue;
            if (!IsPresent(entry))
            {
                yield return (guest, entry);
            }
            else if (!IsLeaf(entry, level))
            {
                foreach ((ulong, ulong) leaf in Leaves4K(Address(entry), level - 1, guest))
                    yield return leaf;
            }
            else if (_host.IsRam(Address(entry)))
            {
                for (ulong i = 0; i < 1UL << shift; i++)
                    yield return (guest + i, entry + (i << 12));
            }
        }
    }

    private void SaveTable(StateWriter writer, HostPhysicalAddress table, int level)
    {
        int count = 0;
        for (int index = 0; index < EntriesOfTable; index++)
            count += _host.Read<ulong>(EntryAddress(table, index)) == 0 ? 0 : 1;
        writer.Write((ushort)count);
        for (int index = 0; index < EntriesOfTable; index++)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, index));
            if (entry == 0)
                continue;
            Entry kind = entry == BalloonedMark ? Entry.Ballooned
                : !IsPresent(entry) ? Entry.Swapped
                : !IsLeaf(entry, level) ? Entry.Table
                : IsShared(entry) ? Entry.Shared
                : _host.IsRam(Address(entry)) ? Entry.Page
                : Entry.Device;
            writer.Write((ushort)index);
            writer.Write((byte)kind);
            if (kind is Entry.Swapped or Entry.Ballooned)
                continue;

            // With whom a frame is shared, and whether its writes are logged, is the host's affair: here the guest may write to all of its pages.
            ulong flags = entry & ~(EptEntry.AddressMask | SharedMark);
            writer.Write(kind is Entry.Page or Entry.Shared ? flags | _format.Write : flags);
            writer.Write(Address(entry).Value);
            if (kind == Entry.Table)
                SaveTable(writer, Address(entry), level - 1);
        }
    }

    private void LoadTable(StateReader reader, HostPhysicalAddress table, int level, ulong firstGuest, FramePlacement placement)
    {
        int last = -1;
        for (int left = reader.ReadUInt16("entries"); left > 0; left--)
        {
            int index = reader.ReadUInt16("index");
            if (index <= last || index >= EntriesOfTable)
                throw reader.Refuse("index", $"is {index} behind {last}");
            last = index;
            var guest = new GuestPhysicalAddress(firstGuest + ((ulong)index << (12 + (9 * (level - 1)))));
            var kind = (Entry)reader.ReadByte("kind");
            if (kind is Entry.Swapped or Entry.Ballooned)
            {
                if (level != 1 || !_layout.IsRam(guest, 4096))
                    throw reader.Refuse("kind", $"says that {guest} is {kind}, which is no frame of RAM");
                if (kind == Entry.Swapped)
                {
                    _awaited.Add(guest.Frame.Value);
                    continue;
                }

                _host.Write(EntryAddress(table, index), BalloonedMark);
                BalloonedFrames++;
                continue;
            }

            ulong flags = reader.ReadUInt64("flags");
            var address = new HostPhysicalAddress(reader.ReadUInt64("address"));
            _host.Write(EntryAddress(table, index), LoadEntry(reader, kind, guest, level, flags, address, placement));
            if (kind == Entry.Table)
                LoadTable(reader, Address(_host.Read<ulong>(EntryAddress(table, index))), level - 1, guest.Value, placement);
        }
    }

    // The entry as it is here.
    private ulong LoadEntry(StateReader reader, Entry kind, GuestPhysicalAddress guest, int level, ulong flags, HostPhysicalAddress address, FramePlacement placement)
    {
        var size = (PageSize)(level - 1);
        ulong known = _format.Accessed | _format.Dirty | (kind == Entry.Table ? _format.Table : _format.Page) | (kind != Entry.Table && level > 1 ? EptEntry.PageSizeBit : 0);
        bool isLeaf = level == 1 || (flags & EptEntry.PageSizeBit) != 0;
        if ((flags & ~known) != 0 || !IsPresent(flags) || isLeaf != (kind != Entry.Table))
            throw reader.Refuse("flags", $"are 0x{flags:x} in the entry of {guest} at level {level}");
        switch (kind)
        {
            case Entry.Table:
                HostPhysicalAddress table = Place(reader, PageSize.Size4K, address, placement);
                TableFrames++;
                return table.Value | flags;
            case Entry.Page or Entry.Shared when size <= _largestPage && _layout.IsRam(guest, size.Bytes()):
                HostPhysicalAddress page = Place(reader, size, address, placement);
                NoteResident(guest, size, wasSwapped: false);
                WasUnshared |= kind == Entry.Shared;
                return page.Value | flags;
            case Entry.Device when level == 1 && !_layout.IsRam(guest, 1):
                bool isHole = guest.Value >= HostMemory.HoleStart && guest.Value < HostMemory.HoleEnd;
                return (isHole ? guest.Value : VoidFrame) | flags;
            default:
                throw reader.Refuse("kind", $"says that {guest} is a page at level {level}, which the memory does not have");
        }
    }

    private HostPhysicalAddress Place(StateReader reader, PageSize size, HostPhysicalAddress address, FramePlacement placement)
    {
        if (placement == FramePlacement.Same)
            return _frames.TryClaim(size, address) ? address : throw reader.Refuse("address", $"is {address}, which the host does not have to give");
        if (!_frames.TryTake(size, out HostPhysicalAddress start))
            throw new HostMemoryExhaustedException();
        _frames.Audit?.RequireZero(start, size.Bytes(), _frames.Owner);
        return start;
    }

    // A page that was swapped goes to the store again; where there is none it gets a frame.
    private void StoreAway(GuestPhysicalAddress address, ReadOnlySpan<byte> bytes)
    {
        HostPhysicalAddress at = FindEntry(address, out _, out _);
        if (_store is null)
        {
            if (!_frames.TryTake(PageSize.Size4K, out HostPhysicalAddress frame))
                throw new HostMemoryExhaustedException();
            _host.Write(frame, bytes);
            _host.Write(at, frame.Value | _format.Page);
            NoteResident(address, PageSize.Size4K, wasSwapped: true);
            return;
        }

        if (!_store.TryStore(bytes, out ulong slot))
            throw new HostMemoryExhaustedException();
        _host.Write(at, (slot << SlotShift) | SwappedMark);
        SwappedFrames++;
    }
}
