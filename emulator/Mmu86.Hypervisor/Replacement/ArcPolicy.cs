using System.Numerics;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>ARC: a list of frames used once and one of frames used again share memory; returns of evicted frames say which should have more.</summary>
/// <remarks>
/// <para>Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache" (FAST 2003), figure 4. A reference to a resident frame is a set accessed
/// flag, found by a scan or when the frame is about to give way. The first flag after a fault may be due to the access that faulted, so it is no second
/// reference. Names too many are forgotten after the new frame is in rather than before: the same names, for each list is cut at its old end.</para>
/// <para>The size of memory, c, is the number of resident frames at that moment.</para>
/// </remarks>
internal sealed class ArcPolicy(ReplacementOptions options) : TrackingPolicy("arc", options, lists: 4)
{
    private const int T1 = 0;
    private const int T2 = 1;
    private const int B1 = 2;
    private const int B2 = 3;

    // How many frames T1 should have: p of the paper, a real number.
    private double _target;

    /// <inheritdoc/>
    protected override bool Scans => true;

    /// <inheritdoc/>
    protected override void Enter(int frame, Insertion how)
    {
        ref FrameSlot entered = ref Table[frame];
        bool isReferenced = entered.List != FrameTable.NoList && how.Kind != InsertionKind.ReadAhead;
        if (isReferenced)
            Learn(frame);
        entered.Flags &= ~FrameFlags.Learned;
        Settle(frame, isReferenced ? T2 : T1);
        while (Table.CountOf(B1) != 0 && Table.CountOf(T1) + Table.CountOf(B1) > Count)
            Table.Release(Table.Oldest(B1));
        while (Table.Count > 2 * Count)
            Table.Release(Table.CountOf(B2) != 0 ? Table.Oldest(B2) : Table.Oldest(B1));
    }

    /// <inheritdoc/>
    protected override void Return(int frame) => Settle(frame, Table[frame].Age);

    /// <inheritdoc/>
    protected override void Visit(IAccessInformation access, int first, ulong frames)
    {
        ulong used = TestAndClear(access, first, frames);
        for (; frames != 0; frames &= frames - 1)
        {
            int place = BitOperations.TrailingZeroCount(frames);
            if ((used >> place & 1) != 0)
                Reference(first + place);
            else
                Table[first + place].Flags &= ~FrameFlags.Fresh;
        }
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, int ghost)
    {
        // REPLACE of the paper. Whether the incoming frame is in B2 decides a tie, and what its return teaches counts for this decision.
        bool isInB2 = ghost != FrameTable.None && Table[ghost].List == B2;
        if (ghost != FrameTable.None)
            Learn(ghost);
        for (int left = Count - PinnedCount; left > 0; left--)
        {
            int frame = Table.Oldest(Source(isInB2));

            // A frame of T1 that no scan has seen yet: its flag would tell nothing, so it is spared the invalidation.
            bool isUntold = Table[frame].List == T1 && (Table[frame].Flags & FrameFlags.Fresh) != 0;
            if (isUntold || !TestAndClear(access, frame))
                return frame;
            Reference(frame);
        }

        return Table.Oldest(Source(isInB2));
    }

    /// <inheritdoc/>
    protected override void Evict(int frame)
    {
        int ghosts = Table[frame].List == T1 ? B1 : B2;
        Table[frame].Flags = FrameFlags.None;
        Table.MoveToNewest(frame, ghosts);
    }

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        VerifyLists(T2);
        FrameTable.Require(_target >= 0, "the target is negative");
        FrameTable.Require(Table.CountOf(B1) + Table.CountOf(B2) == GhostCount, "a resident frame is among the ghosts");
    }

    /// <inheritdoc/>
    protected override void SaveMore(StateWriter writer) => writer.Write(BitConverter.DoubleToUInt64Bits(_target));

    /// <inheritdoc/>
    protected override void LoadMore(StateReader reader)
    {
        _target = BitConverter.UInt64BitsToDouble(reader.ReadUInt64("target"));
        if (!double.IsFinite(_target))
            throw reader.Refuse("target", "is no number");
        RequireListOfPinned(reader, T2);
    }

    private int Source(bool isInB2)
    {
        int first = Table.CountOf(T1);
        if (first == 0)
            return T2;
        return Table.CountOf(T2) == 0 || first > _target || (isInB2 && first == _target) ? T1 : T2;
    }

    private void Reference(int frame)
    {
        ref FrameSlot used = ref Table[frame];
        if (used.List == T1 && (used.Flags & FrameFlags.Fresh) != 0)
            used.Flags &= ~FrameFlags.Fresh;
        else
            Settle(frame, T2);
    }

    private void Learn(int frame)
    {
        ref FrameSlot ghost = ref Table[frame];
        if ((ghost.Flags & FrameFlags.Learned) != 0)
            return;
        double first = Table.CountOf(B1);
        double second = Table.CountOf(B2);
        if (ghost.List == B1)
            _target = Math.Min(Count, _target + Math.Max(second / first, 1));
        else if (ghost.List == B2)
            _target = Math.Max(0, _target - Math.Max(first / second, 1));
        else
            return;
        ghost.Flags |= FrameFlags.Learned;
    }

    private void Settle(int frame, int list)
    {
        Table[frame].Age = (byte)list;
        Table.MoveToNewest(frame, list);
    }
}
