using System.Numerics;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>2Q, full version: new frames pass through a short queue; one that comes back soon after it fell out of there joins the main list, an LRU list.</summary>
/// <remarks>
/// Johnson and Shasha, "2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm" (VLDB 1994). A reference to a resident frame is a set
/// accessed flag, found by a scan or when the frame is about to give way. Flags of the first queue are not looked at, as references there do
/// nothing in the paper. The size of memory is the number of resident frames at that moment.
/// </remarks>
internal sealed class TwoQueuePolicy(ReplacementOptions options) : TrackingPolicy("2q", options, lists: 3)
{
    // The paper's recommendation: Kin 25 percent of memory, Kout as many names as 50 percent of memory has pages.
    private const int InShare = 4;
    private const int GhostShare = 2;

    private const int A1In = 0;
    private const int Am = 1;
    private const int A1Out = 2;

    // Found in A1out when its fault made room: the name may have fallen out of there for the victim's.
    private int _returning = FrameTable.None;

    /// <inheritdoc/>
    protected override bool Scans => true;

    /// <inheritdoc/>
    protected override void Enter(int frame, Insertion how)
    {
        // What was read ahead is no reference, even if it is remembered.
        bool isKnown = Table[frame].List == A1Out || frame == _returning;
        bool isReferenced = isKnown && how.Kind != InsertionKind.ReadAhead;
        _returning = FrameTable.None;
        Settle(frame, isReferenced ? Am : A1In);
    }

    /// <inheritdoc/>
    protected override void Return(int frame) => Settle(frame, Table[frame].Age);

    /// <inheritdoc/>
    protected override void Visit(IAccessInformation access, int first, ulong frames)
    {
        ulong watched = 0;
        for (ulong left = frames; left != 0; left &= left - 1)
        {
            int place = BitOperations.TrailingZeroCount(left);
            watched |= Table[first + place].List == Am ? 1UL << place : 0;
        }

        for (ulong used = TestAndClear(access, first, watched); used != 0; used &= used - 1)
            Table.MoveToNewest(first + BitOperations.TrailingZeroCount(used), Am);
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, int ghost)
    {
        _returning = ghost != FrameTable.None && Table[ghost].List == A1Out ? ghost : FrameTable.None;
        if (Table.CountOf(Am) == 0 || Table.CountOf(A1In) > Count / InShare)
            return Table.CountOf(A1In) != 0 ? Table.Oldest(A1In) : Table.Oldest(Am);
        for (int left = Table.CountOf(Am); left > 0; left--)
        {
            int frame = Table.Oldest(Am);
            if (!TestAndClear(access, frame))
                return frame;
            Table.MoveToNewest(frame, Am);
        }

        return Table.Oldest(Am);
    }

    /// <inheritdoc/>
    protected override void Evict(int frame)
    {
        if (Table[frame].List != A1In)
        {
            // Not remembered: "it hasn't been accessed for a while".
            Table.Release(frame);
            return;
        }

        Table[frame].Flags = FrameFlags.None;
        Table.MoveToNewest(frame, A1Out);
        while (Table.CountOf(A1Out) > Count / GhostShare)
            Table.Release(Table.Oldest(A1Out));
    }

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        VerifyLists(Am);
    }

    /// <inheritdoc/>
    protected override void SaveMore(StateWriter writer) => writer.Write(_returning);

    /// <inheritdoc/>
    protected override void LoadMore(StateReader reader)
    {
        _returning = reader.ReadInt32("returning", FrameTable.None, int.MaxValue);
        RequireListOfPinned(reader, Am);
    }

    private void Settle(int frame, int list)
    {
        Table[frame].Age = (byte)list;
        Table.MoveToNewest(frame, list);
    }
}
