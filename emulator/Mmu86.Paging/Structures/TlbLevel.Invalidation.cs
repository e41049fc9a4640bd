using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Invalidation.</content>
internal sealed unsafe partial class TlbLevel
{
    /// <summary>Invalidates one entry.</summary>
    public void Remove(TlbArray* array, int entry)
    {
        ulong tag = array->Entries.Tags[entry];
        TlbLane* lane = array->Lane((int)Tag.Size(tag));
        _filter.Kill(array, entry);
        array->CountFragments(entry, becomesFragment: false);
        array->Entries.Remove(entry);
        lane->Invalidations++;
        lane->Resident--;
        Changes++;
        if (IsInclusive)
            RemoveAbove(lane, tag);
    }

    /// <summary>Invalidates every entry of one space that maps an address, and every other fragment of their guest pages.</summary>
    public void RemovePage(ulong address, uint space)
    {
        RemoveAnswers(address, space, space);
        foreach (TlbArray* array in _arrays)
        {
            int guestShift = array->FragmentsAt(address, space);
            if (guestShift != 0)
                RemoveFragments(array, address, space, guestShift);
        }
    }

    /// <summary>Invalidates every entry that would answer for an address, one after the other.</summary>
    public void RemoveAnswers(ulong address, uint space, uint global)
    {
        while (TryFind(address, space, global, out TlbHit hit))
            Remove(hit.Lane->Array, hit.Entry);
    }

    /// <summary>A space is to be retired: counts its entries as invalidated. The caller clears the filter where the space was in force.</summary>
    /// <returns>How many entries die with it.</returns>
    public ulong Bury(uint space)
    {
        ulong total = 0;
        foreach (TlbArray* array in _arrays)
        {
            for (int size = 0; size < TlbArray.LaneCount; size++)
            {
                TlbLane* lane = array->Lane(size);
                if (lane == null)
                    continue;
                uint count = array->Entries.Bury(space, size);
                lane->Invalidations += count;
                lane->Resident -= count;
                total += count;
            }
        }

        if (total != 0)
            Changes++;
        return total;
    }

    /// <summary>Invalidates the entries of a space in this level alone.</summary>
    public void RemoveSpace(uint space)
    {
        foreach (TlbArray* array in _arrays)
        {
            int end = array->Entries.ScanEnd;
            for (int entry = 0; entry < end && array->Entries.Live(space) != 0; entry++)
            {
                if (array->Entries.Tags[entry] != 0 && Tag.Space(array->Entries.Tags[entry]) == space)
                    Remove(array, entry);
            }
        }
    }

    /// <summary>Empties the ways of dead entries.</summary>
    public void Sweep()
    {
        foreach (TlbArray* array in _arrays)
            array->Entries.Sweep();
    }

    // Only entries that may be of the page by their tags are looked at: a kernel that maps its memory with large pages above small ones of EPT comes here with
    // every INVLPG near one.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RemoveFragments(TlbArray* array, ulong address, uint space, int guestShift)
    {
        long seen = 0;
        bool isInVain = true;
        for (PageSize size = PageSize.Size4K; size < PageSize.Size1G && size.Shift() < guestShift; size++)
        {
            TlbLane* lane = array->Lane((int)size);
            if (lane == null || lane->Resident == 0)
                continue;
            int pagesShift = guestShift - size.Shift();
            ulong page = Tag.PageNumber(address, size);
            ulong mask = (~0UL << (Tag.PageNumberShift + pagesShift)) | ((1UL << Tag.PageNumberShift) - 1);
            ulong wanted = Tag.Make(space, size, page) & mask;
            (int first, int end) = array->Entries.RangeOf(page, pagesShift);
            seen += end - first;
            for (int entry = array->Entries.FindMasked(first, end, mask, wanted); entry >= 0; entry = array->Entries.FindMasked(entry + 1, end, mask, wanted))
            {
                PageSize guest = TlbEntry.GuestSize(array->Entries.Data[entry]);
                if (!array->Entries.IsLive(entry) || size >= guest || (Tag.Address(array->Entries.Tags[entry]) ^ address) >> guest.Shift() != 0)
                    continue;
                Remove(array, entry);
                isInVain = false;
            }
        }

        if (isInVain)
            array->NoteInVain(seen);
    }
}
