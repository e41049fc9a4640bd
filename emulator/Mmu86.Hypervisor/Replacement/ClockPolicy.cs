namespace Mmu86.Hypervisor.Replacement;

/// <summary>Clock, the second chance: a hand goes round the frames, clears accessed flags, and stops at the first frame without one.</summary>
/// <remarks>
/// The ring is a queue whose oldest frame is the one at the hand: to pass it is to make it the newest, and what comes in stands just behind the hand.
/// Each step beyond the first is paid for by a flag that was cleared. Corbato, "A Paging Experiment with the Multics System" (1968).
/// </remarks>
internal sealed class ClockPolicy(ReplacementOptions options) : TrackingPolicy("clock", options, lists: 1)
{
    private const int Ring = 0;

    /// <inheritdoc/>
    protected override void Enter(int frame, Insertion how) => Table.MoveToNewest(frame, Ring);

    /// <inheritdoc/>
    protected override void Return(int frame) => Table.MoveToNewest(frame, Ring);

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, int ghost)
    {
        // One whole turn clears every flag.
        for (int left = Table.CountOf(Ring); left > 0; left--)
        {
            int frame = Table.Oldest(Ring);
            if (!TestAndClear(access, frame))
                return frame;
            Table.MoveToNewest(frame, Ring);
        }

        return Table.Oldest(Ring);
    }

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        VerifyLists(Ring);
    }
}
