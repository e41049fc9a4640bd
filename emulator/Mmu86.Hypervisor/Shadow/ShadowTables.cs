using Mmu86.Hypervisor.Frames;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>All shadow tables of one machine, and which frames of the guest they depend on.</summary>
/// <remarks>
/// A frame that shadow tables depend on is write-protected while they are in step with it. The first write is noticed: the frame is
/// made writable, and the tables are marked stale. When the guest demands that translations be forgotten, stale tables of the root in force are
/// compared, what differs is dropped, and the frame is protected again; those of other roots and PCIDs follow when they are next in force and the demand concerned
/// them. Between the two the guest sees what a TLB would let it see. The processor's TLB never holds more of a PCID than its tables say, but for what is to be
/// flushed before they are used.
/// </remarks>
internal sealed class ShadowTables
{
    // As many as the processor has.
    private const int MostSpaces = 4096;
    private const ulong Table = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User | PagingEntry.Accessed;

    private readonly HostMemory _host;
    private readonly MachineFrames _frames;
    private readonly GuestMemoryManager _memory;
    private readonly ShadowCounts _counts;
    private readonly int _mostTables;
    private readonly GuestTables _guestTables = new();
    private readonly WritableMappings _writable = new();
    private readonly Dictionary<ShadowKey, ShadowSpace> _spaces = [];
    private readonly Stack<HostPhysicalAddress> _free = [];
    private readonly Stack<ushort> _freePcids = [];
    private ushort _pcidsMade;
    private ulong _uses;

    /// <summary>Makes none yet.</summary>
    public ShadowTables(HostMemory host, MachineFrames frames, GuestMemoryManager memory, ShadowCounts counts, int mostTables)
    {
        _host = host;
        _frames = frames;
        _memory = memory;
        _counts = counts;
        _mostTables = Math.Max(mostTables, ShadowOptions.FewestTables);
    }

    /// <summary>The tables in force.</summary>
    public ShadowSpace? Current { get; private set; }

    /// <summary>Tables at present.</summary>
    public int Count { get; private set; }

    /// <summary>The most tables so far.</summary>
    public int Peak { get; private set; }

    /// <summary>What the guest demanded so far.</summary>
    public ForgettingDemands Demands { get; } = new();

    /// <summary>The processor may remember something that no tables say, under any PCID: a global page.</summary>
    public bool IsFlushOfAllDue { get; set; }

    /// <summary>Puts the tables of a root in force, in step with the guest's as far as the guest demanded.</summary>
    /// <returns>False where there is no frame for the highest table.</returns>
    public bool TryEnter(ShadowKey key)
    {
        if (!_spaces.TryGetValue(key, out ShadowSpace? space))
            _spaces.Add(key, space = new ShadowSpace(key, TakePcid()));
        Current = space;
        Current.LastUse = ++_uses;
        if (Current.Top is not null)
        {
            Obey();
            return true;
        }

        Current.ObeyedDemand = Demands.Last;
        while (true)
        {
            if (TryMakeTable(Current, Current.Key.Levels, key.Mode == GuestPagingMode.None ? null : key.Root, out ShadowTable? top))
            {
                Current.Top = top;
                return true;
            }

            if (!TryMakeRoom())
                return false;
        }
    }

    /// <summary>Makes the tables in force what the guest's are, where it demanded that since they were.</summary>
    public void Obey()
    {
        ShadowSpace space = Current!;
        if (!Demands.AnySince(space.ObeyedDemand, space.Key.Pcid))
            return;
        space.ObeyedDemand = Demands.Last;
        Synchronise(space);
    }

    /// <summary>Drops everything that the tables in force map: the guest's changed and nobody noticed.</summary>
    public void Clear() => ClearTable(Current!.Top!);

    /// <summary>Drops everything that any tables map.</summary>
    public void ClearAll()
    {
        foreach (ShadowSpace space in _spaces.Values.Where(space => space != Current).ToList())
            GiveUp(space);
        if (Current is not null)
            Clear();
        IsFlushOfAllDue = true;
    }

    /// <summary>The processor has forgotten all PCIDs.</summary>
    public void NoteFlushOfAll()
    {
        IsFlushOfAllDue = false;
        foreach (ShadowSpace space in _spaces.Values)
            space.IsFlushDue = false;
    }

    /// <summary>Drops what the tables in force know of a page of the guest.</summary>
    /// <remarks>The processor is to forget that page too. What else it must forget is noted.</remarks>
    public void Drop(ulong linear)
    {
        ShadowTable table = Current!.Top!;
        while (true)
        {
            int index = ShadowTable.IndexOf(linear, table.Level);
            ShadowTable? child = table.ChildAt(index);

            if (child is null)
            {
                DropPage(table, index);
                return;
            }

            // Parts of a large page go together.
            if (child.Guest is null && table.Guest is not null)
            {
                DropEntry(table, index);
                return;
            }

            table = child;
        }
    }

    /// <summary>The guest writes to a frame that is one of its tables.</summary>
    /// <returns>Whether that was news.</returns>
    public bool NoteWrite(GuestFrameNumber frame)
    {
        if (_guestTables.Find(frame) is not { IsProtected: true } table)
            return false;
        table.IsProtected = false;
        foreach (ShadowTable user in table.Users)
        {
            if (user.IsStale)
                continue;
            user.IsStale = true;
            user.Space.Stale.Add(user);
        }

        return true;
    }

    /// <summary>Whether a frame must not be written without notice.</summary>
    public bool IsProtected(GuestFrameNumber frame) => _guestTables.Find(frame) is { IsProtected: true };

    /// <summary>Whether a page of the guest has tables in it.</summary>
    public bool AnyTableIn(GuestFrameNumber first, PageSize size) => _guestTables.AnyIn(first, size);

    /// <summary>The table that an entry references, made if need be.</summary>
    /// <param name="table">The table of the entry.</param>
    /// <param name="index">Which entry.</param>
    /// <param name="below">The guest's table that it stands for; null for none.</param>
    /// <param name="child">The table.</param>
    /// <returns>False where there is no room.</returns>
    public bool TryDescend(ShadowTable table, int index, GuestFrameNumber? below, out ShadowTable? child)
    {
        child = table.ChildAt(index);
        if (child is not null && child.Guest?.Frame == below)
            return true;
        DropEntry(table, index);
        if (!TryMakeTable(table.Space, table.Level - 1, below, out child))
            return false;
        table.SetChild(index, child);
        _host.Write(table.EntryAt(index), child!.Host.Value | Table);
        return true;
    }

    /// <summary>Writes an entry that maps a page.</summary>
    /// <param name="place">Where.</param>
    /// <param name="size">The size of the page.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="frame">The first frame of the guest's that it maps.</param>
    public void Map(ShadowPlace place, PageSize size, ulong entry, GuestFrameNumber frame)
    {
        // The fault made the processor forget the page; only what it knows of tables is left.
        if (place.Table.ChildAt(place.Index) is null)
            DropPage(place.Table, place.Index);
        else
            DropEntry(place.Table, place.Index);
        _host.Write(place.Table.EntryAt(place.Index), entry);
        place.Table.RememberFrame(place.Index, frame);
        if ((entry & PagingEntry.Writable) != 0)
            _writable.Add(frame, size, place);
        _counts.Fills++;
    }

    /// <summary>Gives up tables: those of the root that was left longest ago, or what the one in force maps.</summary>
    /// <returns>False where there is nothing to give up.</returns>
    public bool TryMakeRoom()
    {
        ShadowSpace? oldest = null;
        foreach (ShadowSpace space in _spaces.Values)
        {
            if (space != Current && (oldest is null || space.LastUse < oldest.LastUse))
                oldest = space;
        }

        int before = Count;
        if (oldest is null)
        {
            if (Current?.Top is { } top)
                ClearTable(top);
        }
        else
        {
            GiveUp(oldest);
            _counts.SpacesDropped++;
        }

        return Count < before || oldest is not null;
    }

    /// <summary>Gives up everything, and the frames.</summary>
    public void Destroy()
    {
        foreach (ShadowSpace space in _spaces.Values.ToList())
            GiveUp(space);
        Current = null;
        while (_free.TryPop(out HostPhysicalAddress frame))
            _frames.Return(PageSize.Size4K, frame);
    }

    private void GiveUp(ShadowSpace space)
    {
        if (space.Top is { } top)
            FreeTable(top);
        _spaces.Remove(space.Key);
        _freePcids.Push(space.Pcid);
    }

    private ushort TakePcid()
    {
        if (_spaces.Count == MostSpaces)
            TryMakeRoom();
        return _freePcids.TryPop(out ushort pcid) ? pcid : _pcidsMade++;
    }

    private void Synchronise(ShadowSpace space)
    {
        foreach (ShadowTable table in space.Stale)
        {
            if (table.IsGone)
                continue;
            table.IsStale = false;
            Compare(table);
            Protect(table.Guest!);
        }

        space.Stale.Clear();
    }

    // Flags that were set meanwhile make nothing wrong; one that was cleared must be set anew by the next access.
    private void Compare(ShadowTable table)
    {
        const ulong Flags = PagingEntry.Accessed | PagingEntry.Dirty;
        bool isThere = _memory.TryTranslate(table.Guest!.Frame.Address, out HostPhysicalAddress guest);
        for (int index = 0; index < ShadowTable.Entries; index++)
        {
            if (_host.Read<ulong>(table.EntryAt(index)) == 0)
                continue;
            _counts.EntriesCompared++;
            ulong made = table.SourceOf(index);
            ulong now = isThere ? _host.Read<ulong>(new HostPhysicalAddress(guest.Value + ((ulong)index * sizeof(ulong)))) : 0;
            if (((made ^ now) & ~Flags) == 0 && (made & ~now & Flags) == 0)
                continue;
            DropEntry(table, index);
            _counts.EntriesDropped++;
        }
    }

    private void Protect(GuestTable guest)
    {
        guest.IsProtected = true;
        while (_writable.TryFind(guest.Frame, out ShadowPlace place))
        {
            if (place.Table.Level == 1)
                MakeReadOnly(place, guest.Frame);
            else
                DropEntry(place.Table, place.Index);
        }
    }

    private void MakeReadOnly(ShadowPlace place, GuestFrameNumber frame)
    {
        HostPhysicalAddress at = place.Table.EntryAt(place.Index);
        ulong entry = _host.Read<ulong>(at);
        _host.Write(at, entry & ~(PagingEntry.Writable | PagingEntry.Dirty));
        _writable.Remove(frame, PageSize.Size4K, place);
        NoteLoss(place.Table, entry);
    }

    private bool TryMakeTable(ShadowSpace space, int level, GuestFrameNumber? guest, out ShadowTable? table)
    {
        table = null;
        if (Count >= _mostTables)
            return false;
        if (!_free.TryPop(out HostPhysicalAddress host))
        {
            if (!_frames.TryTake(PageSize.Size4K, out host))
                return false;
            _frames.Audit?.RequireZero(host, 4096, _frames.Owner);
        }

        Count++;
        Peak = Math.Max(Peak, Count);
        GuestTable? source = guest is { } frame ? _guestTables.Add(frame) : null;
        table = new ShadowTable { Host = host, Level = level, Space = space, Guest = source };
        if (source is null)
            return true;
        source.Users.Add(table);
        if (!source.IsProtected)
            Protect(source);
        return true;
    }

    // The processor must forget the entry before it uses the table again; a global page, before it uses any.
    private void NoteLoss(ShadowTable table, ulong entry)
    {
        table.Space.IsFlushDue = true;
        if ((entry & PagingEntry.Global) != 0)
            IsFlushOfAllDue = true;
    }

    private void DropEntry(ShadowTable table, int index)
    {
        ulong entry = _host.Read<ulong>(table.EntryAt(index));
        if (entry == 0)
            return;
        NoteLoss(table, entry);
        DropPage(table, index);
    }

    // The processor forgets the page, or is told otherwise.
    private void DropPage(ShadowTable table, int index)
    {
        HostPhysicalAddress at = table.EntryAt(index);
        ulong entry = _host.Read<ulong>(at);
        if (entry == 0)
            return;
        _host.Write(at, 0UL);
        if (table.ChildAt(index) is { } child)
        {
            table.SetChild(index, null);
            FreeTable(child);
        }
        else if ((entry & PagingEntry.Writable) != 0)
        {
            _writable.Remove(table.FrameOf(index), (PageSize)(table.Level - 1), new ShadowPlace(table, index));
        }
    }

    private void ClearTable(ShadowTable table)
    {
        for (int index = 0; index < ShadowTable.Entries; index++)
            DropEntry(table, index);
    }

    private void FreeTable(ShadowTable table)
    {
        ClearTable(table);
        table.IsGone = true;
        Count--;
        _free.Push(table.Host);
        if (table.Guest is not { } guest)
            return;
        guest.Users.Remove(table);
        if (guest.Users.Count == 0)
            _guestTables.Remove(guest);
    }
}
