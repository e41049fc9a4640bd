using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>What a level has to do with the levels above and below it.</content>
internal sealed unsafe partial class TlbLevel
{
    /// <summary>Takes an entry out because it moves to the level above: counted as evicted.</summary>
    public void TakeOut(in TlbHit hit)
    {
        TlbArray* array = hit.Lane->Array;
        array->CountFragments(hit.Entry, becomesFragment: false);
        array->Entries.Remove(hit.Entry);
        hit.Lane->Evictions++;
        hit.Lane->Resident--;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void TellEviction(TlbLane* lane, ulong tag, ulong data)
    {
        if (IsInclusive)
            RemoveAbove(lane, tag);
        else
            Below.Take(lane, tag, data);
    }

    // What a level above evicted. A size that this level does not hold is lost.
    private void Take(TlbLane* from, ulong tag, ulong data)
    {
        PageSize size = Tag.Size(tag);
        if (!HoldsAsIs(from))
            return;
        ulong address = Tag.Address(tag, from->Shift);
        uint space = Tag.Space(tag);
        ulong flags = data & ~TlbEntry.FrameMask;
        // The other first level may have evicted its copy before.
        if (TryFind(DoorOf(size), size, address, space, space, out TlbHit hit))
            Update(hit, data, flags);
        else
            Insert(address, space, size, data, flags, out _);
    }

    // An entry leaves an inclusive level: so does what lies in its page in the levels above.
    private void RemoveAbove(TlbLane* lane, ulong tag)
    {
        foreach (TlbLevel level in _included)
            level.RemoveWithin(lane, tag);
    }

    private void RemoveWithin(TlbLane* below, ulong outer)
    {
        PageSize size = Tag.Size(outer);
        int shift = below->Shift;
        ulong address = Tag.Address(outer, shift);
        foreach (TlbArray* array in _arrays)
        {
            AssociativeArray* entries = &array->Entries;
            TlbLane* lane = array->Lane((int)size);
            if (lane != null && lane->Shift == shift && entries->Find(entries->SetOf(Tag.PageNumber(outer)), outer, outer) is var same and >= 0)
                Remove(array, same);
            if (size == PageSize.Size4K || entries->Live(Tag.Space(outer)) == 0)
                continue;
            for (int entry = 0; entry < entries->ScanEnd; entry++)
            {
                ulong tag = entries->Tags[entry];
                if (tag == 0 || Tag.Space(tag) != Tag.Space(outer))
                    continue;
                int inner = array->Lane((int)Tag.Size(tag))->Shift;
                if (inner < shift && (Tag.Address(tag, inner) ^ address) >> shift == 0)
                    Remove(array, entry);
            }
        }
    }
}
