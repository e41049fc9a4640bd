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
        while (TryFind(_door4K, PageSize.Size4K, address, space, space, out TlbHit hit)
            || TryFind(_doorGroup, Tag.Group, address, space, space, out hit)
            || TryFind(_door2M, PageSize.Size2M, address, space, space, out hit)
            || TryFind(_door1G, PageSize.Size1G, address, space, space, out hit))
            Remove(hit.Lane->Array, hit.Entry);

        foreach (TlbArray* array in _arrays)
        {
            if (array->MayHaveFragmentsOf(address))
                RemoveFragments(array, address, space);
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

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RemoveFragments(TlbArray* array, ulong address, uint space)
    {
        long left = 0;
        array->ForgetFragments();
        int end = array->Entries.ScanEnd;
        for (int entry = 0; entry < end; entry++)
        {
            ulong tag = array->Entries.Tags[entry];
            PageSize guest = TlbEntry.GuestSize(array->Entries.Data[entry]);
            if (!array->Entries.IsLive(entry) || Tag.Size(tag) >= guest)
                continue;
            if (Tag.Space(tag) == space && (Tag.Address(tag) ^ address) >> guest.Shift() == 0)
            {
                Remove(array, entry);
            }
            else
            {
                array->NoteFragmentOf(Tag.Address(tag), guest);
                left++;
            }
        }

        // Everything was seen, so the bound is exact again.
        array->Fragments = left;
    }
}
