namespace Mmu86.Hypervisor.Replacement;

/// <summary>First in, first out: the frame that became resident longest ago gives way. It looks at nothing.</summary>
internal sealed class FifoPolicy(ReplacementOptions options) : TrackingPolicy("fifo", options, lists: 1)
{
    private const int Queue = 0;

    /// <inheritdoc/>
    protected override void Enter(int frame, Insertion how) => Table.MoveToNewest(frame, Queue);

    /// <inheritdoc/>
    protected override void Return(int frame) => Table.MoveToNewest(frame, Queue);

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, int ghost) => Table.Oldest(Queue);

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        VerifyLists(Queue);
    }
}
