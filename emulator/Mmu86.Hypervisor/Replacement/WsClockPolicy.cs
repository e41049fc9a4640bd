namespace Mmu86.Hypervisor.Replacement;

/// <summary>WSClock: Clock that knows when each frame was last seen used. A clean frame that left the working set gives way; dirty ones are written first.</summary>
/// <remarks>
/// Carr and Hennessy, "WSClock: A Simple and Effective Algorithm for Virtual Memory Management" (SOSP 1981). Time is the virtual time of the last tick. A
/// decision is taken at once and its work is bounded, so where no frame outside the working set is found clean, the one of those seen that was not used for
/// longest gives way, though it must be written. Textbooks take any clean frame then, which on a host is one that has just been swapped in.
/// </remarks>
internal sealed class WsClockPolicy(ReplacementOptions options) : TrackingPolicy("wsclock", options, lists: 1, options.MaxResidentFrames)
{
    private const int Ring = 0;

    // Where all memory is in the working set the paper's hand goes round it all; here it stops, for decisions must not cost by the size of memory.
    private const int MaxExamined = 4;

    private readonly ulong _window = options.WorkingSetNanoseconds;

    /// <inheritdoc/>
    protected override void Enter(int slot, Insertion how) => Return(slot);

    /// <inheritdoc/>
    protected override void Return(int slot)
    {
        Table[slot].Stamp = Now;
        Table.MoveToNewest(slot, Ring);
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, FrameId incoming)
    {
        int oldest = FrameTable.None;
        bool isOldestDirty = false;
        for (int left = Math.Min(MaxExamined, Table.CountOf(Ring)); left > 0; left--)
        {
            int slot = Table.Oldest(Ring);
            FrameId frame = Table[slot].Id;
            if (access.TestAndClearAccessed(frame))
            {
                Return(slot);
                continue;
            }

            bool isDirty = access.IsDirty(frame);
            if (Now - Table[slot].Stamp > _window)
            {
                if (!isDirty)
                    return slot;
                access.StartCleaning(frame);
            }

            if (oldest == FrameTable.None || Table[slot].Stamp < Table[oldest].Stamp
                || (Table[slot].Stamp == Table[oldest].Stamp && isOldestDirty && !isDirty))
            {
                oldest = slot;
                isOldestDirty = isDirty;
            }

            Table.MoveToNewest(slot, Ring);
        }

        return oldest != FrameTable.None ? oldest : Table.Oldest(Ring);
    }

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        VerifyLists(Ring);
    }
}
