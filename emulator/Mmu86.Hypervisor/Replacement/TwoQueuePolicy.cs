using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>2Q, full version: new frames pass through a short queue; one that comes back soon after it fell out of there joins the main list, an LRU list.</summary>
/// <remarks>
/// Johnson and Shasha, "2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm" (VLDB 1994). A reference to a resident frame is a set
/// accessed flag, found by a scan or when the frame is about to give way. Flags of the first queue are not looked at, as references there do
/// nothing in the paper. The size of memory is the number of resident frames at that moment.
/// </remarks>
internal sealed class TwoQueuePolicy(ReplacementOptions options)
    : TrackingPolicy("2q", options, lists: 3, options.MaxResidentFrames + (options.MaxResidentFrames / GhostShare) + 1)
{
    // The paper's recommendation: Kin 25 percent of memory, Kout as many names as 50 percent of memory has pages.
    private const int InShare = 4;
    private const int GhostShare = 2;

    private const int A1In = 0;
    private const int Am = 1;
    private const int A1Out = 2;

    // Found in A1out when its fault made room: the name may have fallen out of there for the victim's.
    private FrameId _returning = FrameId.None;

    /// <inheritdoc/>
    protected override bool Scans => true;

    /// <inheritdoc/>
    protected override void Enter(int slot, Insertion how)
    {
        // What was read ahead is no reference, even if it is remembered.
        bool isKnown = Table[slot].List == A1Out || Table[slot].Id == _returning;
        bool isReferenced = isKnown && how.Kind != InsertionKind.ReadAhead;
        _returning = FrameId.None;
        Settle(slot, isReferenced ? Am : A1In);
    }

    /// <inheritdoc/>
    protected override void Return(int slot) => Settle(slot, Table[slot].Age);

    /// <inheritdoc/>
    protected override void Visit(IAccessInformation access, int slot)
    {
        if (Table[slot].List == Am && access.TestAndClearAccessed(Table[slot].Id))
            Table.MoveToNewest(slot, Am);
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, FrameId incoming)
    {
        int ghost = Table.Find(incoming);
        _returning = ghost != FrameTable.None && Table[ghost].List == A1Out ? incoming : FrameId.None;
        if (Table.CountOf(Am) == 0 || Table.CountOf(A1In) > Count / InShare)
            return Table.CountOf(A1In) != 0 ? Table.Oldest(A1In) : Table.Oldest(Am);
        for (int left = Table.CountOf(Am); left > 0; left--)
        {
            int slot = Table.Oldest(Am);
            if (!access.TestAndClearAccessed(Table[slot].Id))
                return slot;
            Table.MoveToNewest(slot, Am);
        }

        return Table.Oldest(Am);
    }

    /// <inheritdoc/>
    protected override void Evict(int slot)
    {
        if (Table[slot].List != A1In)
        {
            // Not remembered: "it hasn't been accessed for a while".
            Table.Release(slot);
            return;
        }

        Table[slot].Flags = FrameFlags.None;
        Table.MoveToNewest(slot, A1Out);
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
    protected override void SaveMore(StateWriter writer) => writer.Write(_returning.Value);

    /// <inheritdoc/>
    protected override void LoadMore(StateReader reader)
    {
        _returning = new FrameId(reader.ReadUInt64("returning"));
        RequireListOfPinned(reader, Am);
    }

    private void Settle(int slot, int list)
    {
        Table[slot].Age = (byte)list;
        Table.MoveToNewest(slot, list);
    }
}
