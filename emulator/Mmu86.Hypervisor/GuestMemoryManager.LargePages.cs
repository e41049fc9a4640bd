using Mmu86.Hypervisor.Replacement;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>Large nested pages: taken apart when a part of one is to go, made when a range is whole. Only while the machine does not run.</content>
public sealed partial class GuestMemoryManager
{
    // Resident pages of the next smaller size in each range of 2 MiB and 1 GiB that is not one page: at 512 it is whole.
    private readonly Dictionary<ulong, int> _pagesIn2M = [];
    private readonly Dictionary<ulong, int> _pagesIn1G = [];
    private readonly Queue<(GuestPhysicalAddress Start, PageSize Size)> _whole = [];

    /// <summary>Takes the large page that holds an address apart, once: 1 GiB into 2 MiB, 2 MiB into 4 KiB.</summary>
    /// <returns>False where there is no frame for the table, or no large page.</returns>
    public bool TrySplit(GuestPhysicalAddress address)
    {
        bool wasSplit = TrySplitOnce(address);
        Settle();
        return wasSplit;
    }

    /// <summary>Makes large pages of ranges that became whole since the last call, as large as the guest may have.</summary>
    /// <param name="most">How many at most; copying is what costs.</param>
    /// <returns>How many were made.</returns>
    /// <remarks>
    /// Where the frames of a range are one aligned run already only the tables change. Else its bytes move to a run, if the host has one.
    /// None is made while writes are logged. A range that could not be joined is tried again when a page of it has come back.
    /// </remarks>
    public int JoinWhole(int most)
    {
        int made = 0;
        while (_dirtyLog is null && made < most && _whole.TryDequeue(out (GuestPhysicalAddress Start, PageSize Size) range))
            made += TryJoin(range.Start, range.Size) ? 1 : 0;
        return made;
    }

    private bool TrySplitOnce(GuestPhysicalAddress address)
    {
        HostPhysicalAddress at = FindEntry(address, out int level, out ulong entry);
        if (level == 1 || !IsLeaf(entry, level))
            return false;

        // Splitting is often reclaim's own work, and must not set off more of it: a policy would be asked in the middle of a question.
        if (!_frames.TryTakeFree(PageSize.Size4K, out HostPhysicalAddress table))
            return false;
        NoteTable(table);
        ulong step = ((PageSize)(level - 2)).Bytes();
        ulong flags = entry & ~EptEntry.AddressMask & ~(level == 2 ? EptEntry.PageSizeBit : 0);
        for (int index = 0; index < EntriesOfTable; index++)
            _host.Write(EntryAddress(table, index), (Address(entry).Value + ((ulong)index * step)) | flags);
        _host.Write(at, table.Value | _format.Table | (entry & _format.Accessed));
        Counts.Splits++;
        if (level == 2)
        {
            Add(_pagesIn1G, address, PageSize.Size1G, -1);
            _pagesIn2M[address.Value >> PageSize.Size2M.Shift()] = EntriesOfTable;
        }
        else
        {
            _pagesIn1G[address.Value >> PageSize.Size1G.Shift()] = EntriesOfTable;
        }

        _isStale = true;
        return true;
    }

    // The entry of 4 KiB of a mapped address. False where a table for it is not to be had.
    private bool TryFindSmall(GuestPhysicalAddress address, out HostPhysicalAddress at)
    {
        while (true)
        {
            at = FindEntry(address, out int level, out _);
            if (level == 1)
                return true;
            if (!TrySplitOnce(address))
                return false;
        }
    }

    private bool TryJoin(GuestPhysicalAddress start, PageSize size)
    {
        if (size > _largestPage || !TryFindTable(start, 1 + (int)size, out HostPhysicalAddress at, out HostPhysicalAddress table))
            return false;
        PageSize part = size - 1;
        ulong flags = 0;
        HostPhysicalAddress first = Address(_host.Read<ulong>(table));
        bool isRun = (first.Value & size.OffsetMask()) == 0;
        for (int index = 0; index < EntriesOfTable; index++)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, index));
            if (!IsLeaf(entry, 1 + (int)part) || IsShared(entry))
                return false;
            flags |= entry & (_format.Accessed | _format.Dirty);
            isRun &= Address(entry).Value == first.Value + ((ulong)index * part.Bytes());
        }

        List<(HostPhysicalAddress, PageSize)> freed = [(table, PageSize.Size4K)];
        if (!isRun)
        {
            if (!_frames.TryTake(size, out HostPhysicalAddress run))
                return false;
            for (int index = 0; index < EntriesOfTable; index++)
            {
                HostPhysicalAddress old = Address(_host.Read<ulong>(EntryAddress(table, index)));
                Copy(old, new HostPhysicalAddress(run.Value + ((ulong)index * part.Bytes())), part.Bytes());
                freed.Add((old, part));
            }

            first = run;
        }

        _host.Write(at, first.Value | _format.Page | EptEntry.PageSizeBit | flags);
        TableFrames--;
        Counts.Joins++;
        if (size == PageSize.Size2M)
        {
            _pagesIn2M.Remove(start.Value >> PageSize.Size2M.Shift());
            Add(_pagesIn1G, start, PageSize.Size1G, 1);
        }
        else
        {
            _pagesIn1G.Remove(start.Value >> PageSize.Size1G.Shift());
        }

        Release(freed);
        return true;
    }

    // The entry at a level that references a table, and the table.
    private bool TryFindTable(GuestPhysicalAddress address, int level, out HostPhysicalAddress at, out HostPhysicalAddress table)
    {
        table = _root;
        at = default;
        for (int above = RootLevel; above >= level; above--)
        {
            at = EntryAddress(table, address, above);
            ulong entry = _host.Read<ulong>(at);
            if (!IsPresent(entry) || IsLeaf(entry, above))
                return false;
            table = Address(entry);
        }

        return true;
    }

    private void Copy(HostPhysicalAddress from, HostPhysicalAddress to, ulong length)
    {
        for (ulong offset = 0; offset < length; offset += 4096)
            _host.Write(new HostPhysicalAddress(to.Value + offset), _host.Frame(new HostPhysicalAddress(from.Value + offset).Frame));
    }

    private void NoteResident(GuestPhysicalAddress address, PageSize size, bool wasSwapped)
    {
        ulong frames = size.Bytes() >> 12;
        ResidentFrames += frames;
        _residency?.BecameResident(new GuestPhysicalAddress(address.Value & ~size.OffsetMask()).Frame, frames, wasSwapped);
        if (size == PageSize.Size4K)
            Add(_pagesIn2M, address, PageSize.Size2M, 1);
        else if (size == PageSize.Size2M)
            Add(_pagesIn1G, address, PageSize.Size1G, 1);
    }

    private void ForgetResident(GuestPhysicalAddress address, Removal how)
    {
        ResidentFrames--;
        _residency?.LeftResidence(address.Frame, how);
        Add(_pagesIn2M, address, PageSize.Size2M, -1);
    }

    private void Add(Dictionary<ulong, int> pages, GuestPhysicalAddress address, PageSize range, int change)
    {
        // Nobody joins where no page so large is wanted.
        if (range > _largestPage)
            return;
        ulong number = address.Value >> range.Shift();
        int count = pages.GetValueOrDefault(number) + change;
        pages[number] = count;
        if (count == EntriesOfTable && change > 0)
            _whole.Enqueue((new GuestPhysicalAddress(number << range.Shift()), range));
    }
}
