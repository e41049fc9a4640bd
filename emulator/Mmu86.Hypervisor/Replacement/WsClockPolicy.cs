using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>WSClock: Clock that knows when each frame was last seen used. A clean frame that left the working set gives way; dirty ones are written first.</summary>
/// <remarks>
/// Carr and Hennessy, "WSClock: A Simple and Effective Algorithm for Virtual Memory Management" (SOSP 1981). Time is the virtual time of the last tick. A
/// decision is taken at once and its work is bounded, so where no frame outside the working set is found clean, the one of those seen that was not used for
/// longest gives way, though it must be written. Textbooks take any clean frame then, which on a host is one that has just been swapped in.
/// </remarks>
internal sealed class WsClockPolicy(ReplacementOptions options) : TrackingPolicy("wsclock", options, lists: 1)
{
    private const int Ring = 0;

    // Where all memory is in the working set the paper's hand goes round it all; here it stops, for decisions must not cost by the size of memory.
    private const int MaxExamined = 4;

    private readonly ulong _window = options.WorkingSetNanoseconds;

    // By frame, the time at which it was last seen used.
    private readonly FrameNotes _lastUse = new();

    /// <inheritdoc/>
    protected override void Enter(int frame, Insertion how) => Return(frame);

    /// <inheritdoc/>
    protected override void Return(int frame)
    {
        _lastUse[(ulong)frame] = Now;
        Table.MoveToNewest(frame, Ring);
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, int ghost)
    {
        int oldest = FrameTable.None;
        bool isOldestDirty = false;
        for (int left = Math.Min(MaxExamined, Table.CountOf(Ring)); left > 0; left--)
        {
            int frame = Table.Oldest(Ring);
            if (TestAndClear(access, frame))
            {
                Return(frame);
                continue;
            }

            bool isDirty = access.IsDirty(new GuestFrameNumber((ulong)frame));
            if (Now - LastUse(frame) > _window)
            {
                if (!isDirty)
                    return frame;
                access.StartCleaning(new GuestFrameNumber((ulong)frame));
            }

            if (oldest == FrameTable.None || LastUse(frame) < LastUse(oldest)
                || (LastUse(frame) == LastUse(oldest) && isOldestDirty && !isDirty))
            {
                oldest = frame;
                isOldestDirty = isDirty;
            }

            Table.MoveToNewest(frame, Ring);
        }

        return oldest != FrameTable.None ? oldest : Table.Oldest(Ring);
    }

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        VerifyLists(Ring);
    }

    /// <inheritdoc/>
    protected override void SaveMore(StateWriter writer)
    {
        ulong[] times = new ulong[Table.CountOf(Ring)];
        int next = 0;
        for (int frame = Table.Oldest(Ring); frame != FrameTable.None; frame = Table[frame].Newer)
            times[next++] = LastUse(frame);
        writer.WriteArray<ulong>(times);
    }

    /// <inheritdoc/>
    protected override void LoadMore(StateReader reader)
    {
        ulong[] times = new ulong[Table.CountOf(Ring)];
        reader.ReadArray("lastUse", times);
        _lastUse.Clear();
        int next = 0;
        for (int frame = Table.Oldest(Ring); frame != FrameTable.None; frame = Table[frame].Newer)
            _lastUse[(ulong)frame] = times[next++];
    }

    private ulong LastUse(int frame) => _lastUse.Read((ulong)frame);
}
