using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>OPT: the frame whose next use is farthest away gives way. It knows the future, so it is the bound for all others and no policy to run with.</summary>
/// <remarks>
/// Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer" (1966). A heap by next use, whose top is the farthest: time by the logarithm of the
/// number of frames for each reference, where the others take constant time.
/// </remarks>
internal sealed class OptimalPolicy(ReplacementOptions options) : TrackingPolicy("opt", options, lists: 0)
{
    private readonly RecordedFuture _future = options.Future
        ?? throw new ArgumentException("The policy 'opt' needs the recorded references to come.", nameof(options));

    private int[] _heap = new int[64];

    // By frame, the position of its next use.
    private readonly FrameNotes _nextUse = new();
    private int _count;
    private int _replayed;

    /// <inheritdoc/>
    protected override void Enter(int frame, Insertion how) => Return(frame);

    /// <inheritdoc/>
    protected override void Return(int frame)
    {
        if (_count == _heap.Length)
            Array.Resize(ref _heap, _count * 2);
        _nextUse[(ulong)frame] = _future.NextUse(new GuestFrameNumber((ulong)frame));
        Put(frame, _count++);
        Rise(frame);
    }

    /// <inheritdoc/>
    protected override void Leave(int frame)
    {
        int place = Table[frame].Newer;
        int last = _heap[--_count];
        if (last == frame)
            return;
        Put(last, place);
        Rise(last);
        Sink(last);
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, int ghost)
    {
        // What was referenced since the last decision has its next use farther away than it stood here.
        for (; _replayed < _future.Position; _replayed++)
        {
            int frame = Table.Find(_future.FrameAt(_replayed).Value);
            if (frame == FrameTable.None || (Table[frame].Flags & FrameFlags.Pinned) != 0)
                continue;
            _nextUse[(ulong)frame] = _future.NextAfter(_replayed);
            Rise(frame);
            Sink(frame);
        }

        return _heap[0];
    }

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        FrameTable.Require(_count == Count - PinnedCount, "the heap is not the frames that are not pinned");
        for (int place = 0; place < _count; place++)
        {
            FrameTable.Require(Table[_heap[place]].Newer == place, "a frame stands elsewhere in the heap");
            FrameTable.Require(place == 0 || NextUse(_heap[place]) <= NextUse(_heap[(place - 1) / 2]), "the heap is out of order");
        }
    }

    /// <inheritdoc/>
    protected override void SaveMore(StateWriter writer) => throw new NotSupportedException("A policy that knows the future runs on no host, and is not saved.");

    private ulong NextUse(int frame) => _nextUse.Read((ulong)frame);

    private void Put(int frame, int place)
    {
        _heap[place] = frame;
        Table[frame].Newer = place;
    }

    private void Rise(int frame)
    {
        int place = Table[frame].Newer;
        while (place != 0 && NextUse(_heap[(place - 1) / 2]) < NextUse(frame))
        {
            Put(_heap[(place - 1) / 2], place);
            place = (place - 1) / 2;
        }

        Put(frame, place);
    }

    private void Sink(int frame)
    {
        int place = Table[frame].Newer;
        while ((2 * place) + 1 < _count)
        {
            int child = (2 * place) + 1;
            if (child + 1 < _count && NextUse(_heap[child + 1]) > NextUse(_heap[child]))
                child++;
            if (NextUse(_heap[child]) <= NextUse(frame))
                break;
            Put(_heap[child], place);
            place = child;
        }

        Put(frame, place);
    }
}
