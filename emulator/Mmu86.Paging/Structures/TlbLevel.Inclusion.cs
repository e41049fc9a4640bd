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
    private void TellEviction(ulong tag, ulong data)
    {
        if (IsInclusive)
            RemoveAbove(tag);
        else
            Below.Take(tag, data);
    }

    // What a level above evicted. A size that this level does not hold is lost.
    private void Take(ulong tag, ulong data)
    {
        PageSize size = Tag.Size(tag);
        if (Held(size) != (int)size)
            return;
        ulong address = Tag.Address(tag);
        uint space = Tag.Space(tag);
        ulong flags = data & ~TlbEntry.FrameMask;
        // The other first level may have evicted its copy before.
        TlbLane* door = size == PageSize.Size4K ? _door4K : size == PageSize.Size2M ? _door2M : _door1G;
        if (TryFind(door, size, address, space, space, out TlbHit hit))
            Update(hit, data, flags);
        else
            Insert(address, space, size, data, flags, out _);
    }

    // An entry leaves an inclusive level: so does what lies in its page in the levels above.
    private void RemoveAbove(ulong tag)
    {
        foreach (TlbLevel level in _included)
            level.RemoveWithin(tag);
    }

    private void RemoveWithin(ulong outer)
    {
        PageSize size = Tag.Size(outer);
        foreach (TlbArray* array in _arrays)
        {
            AssociativeArray* entries = &array->Entries;
            if (array->Lane((int)size) != null && entries->Find(entries->SetOf(Tag.PageNumber(outer)), outer, outer) is var same and >= 0)
                Remove(array, same);
            if (size == PageSize.Size4K || entries->Live(Tag.Space(outer)) == 0)
                continue;
            for (int entry = 0; entry < entries->ScanEnd; entry++)
            {
                ulong tag = entries->Tags[entry];
                if (tag != 0 && Tag.Space(tag) == Tag.Space(outer) && Tag.Size(tag) < size && (Tag.Address(tag) ^ Tag.Address(outer)) >> size.Shift() == 0)
                    Remove(array, entry);
            }
        }
    }
}
