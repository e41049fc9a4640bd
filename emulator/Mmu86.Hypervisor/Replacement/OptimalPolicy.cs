using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>OPT: the frame whose next use is farthest away gives way. It knows the future, so it is the bound for all others and no policy to run with.</summary>
/// <remarks>
/// Belady, "A Study of Replacement Algorithms for a Virtual-Storage Computer" (1966). A heap by next use, whose top is the farthest: time by the logarithm of the
/// number of frames for each reference, where the others take constant time.
/// </remarks>
internal sealed class OptimalPolicy(ReplacementOptions options) : TrackingPolicy("opt", options, lists: 0, options.MaxResidentFrames)
{
    private readonly RecordedFuture _future = options.Future
        ?? throw new ArgumentException("The policy 'opt' needs the recorded references to come.", nameof(options));

    private int[] _heap = new int[64];
    private int _count;
    private int _replayed;

    /// <inheritdoc/>
    protected override void Enter(int slot, Insertion how) => Return(slot);

    /// <inheritdoc/>
    protected override void Return(int slot)
    {
        if (_count == _heap.Length)
            Array.Resize(ref _heap, _count * 2);
        Table[slot].Stamp = _future.NextUse(Table[slot].Id);
        Put(slot, _count++);
        Rise(slot);
    }

    /// <inheritdoc/>
    protected override void Leave(int slot)
    {
        int place = Table[slot].Newer;
        int last = _heap[--_count];
        if (last == slot)
            return;
        Put(last, place);
        Rise(last);
        Sink(last);
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, FrameId incoming)
    {
        // What was referenced since the last decision has its next use farther away than it stood here.
        for (; _replayed < _future.Position; _replayed++)
        {
            int slot = Table.Find(_future.FrameAt(_replayed));
            if (slot == FrameTable.None || (Table[slot].Flags & FrameFlags.Pinned) != 0)
                continue;
            Table[slot].Stamp = _future.NextAfter(_replayed);
            Rise(slot);
            Sink(slot);
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
            FrameTable.Require(place == 0 || Table[_heap[place]].Stamp <= Table[_heap[(place - 1) / 2]].Stamp, "the heap is out of order");
        }
    }

    /// <inheritdoc/>
    protected override void SaveMore(StateWriter writer) => throw new NotSupportedException("A policy that knows the future runs on no host, and is not saved.");

    private void Put(int slot, int place)
    {
        _heap[place] = slot;
        Table[slot].Newer = place;
    }

    private void Rise(int slot)
    {
        int place = Table[slot].Newer;
        while (place != 0 && Table[_heap[(place - 1) / 2]].Stamp < Table[slot].Stamp)
        {
            Put(_heap[(place - 1) / 2], place);
            place = (place - 1) / 2;
        }

        Put(slot, place);
    }

    private void Sink(int slot)
    {
        int place = Table[slot].Newer;
        while ((2 * place) + 1 < _count)
        {
            int child = (2 * place) + 1;
            if (child + 1 < _count && Table[_heap[child + 1]].Stamp > Table[_heap[child]].Stamp)
                child++;
            if (Table[_heap[child]].Stamp <= Table[slot].Stamp)
                break;
            Put(_heap[child], place);
            place = child;
        }

        Put(slot, place);
    }
}
