namespace Mmu86.Hypervisor.Replacement;

/// <summary>First in, first out: the frame that became resident longest ago gives way. It looks at nothing.</summary>
internal sealed class FifoPolicy(ReplacementOptions options) : TrackingPolicy("fifo", options, lists: 1, options.MaxResidentFrames)
{
    private const int Queue = 0;

    /// <inheritdoc/>
    protected override void Enter(int slot, Insertion how) => Table.MoveToNewest(slot, Queue);

    /// <inheritdoc/>
    protected override void Return(int slot) => Table.MoveToNewest(slot, Queue);

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, FrameId incoming) => Table.Oldest(Queue);

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        VerifyLists(Queue);
    }
}
