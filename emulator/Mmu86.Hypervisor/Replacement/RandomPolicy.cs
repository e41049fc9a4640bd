using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>Any frame that is not pinned, each with the same probability, by the seed. What ESX does when it must swap by itself.</summary>
internal sealed class RandomPolicy(ReplacementOptions options) : TrackingPolicy("random", options, lists: 0)
{
    // The frames that can be chosen, without gaps; a frame's link says where it stands.
    private int[] _candidates = new int[64];
    private int _count;
    private SplitMix64 _random = new(options.Seed);

    /// <inheritdoc/>
    protected override void Enter(int frame, Insertion how) => Return(frame);

    /// <inheritdoc/>
    protected override void Return(int frame)
    {
        if (_count == _candidates.Length)
            Array.Resize(ref _candidates, _count * 2);
        Table[frame].Newer = _count;
        _candidates[_count++] = frame;
    }

    /// <inheritdoc/>
    protected override void Leave(int frame)
    {
        int last = _candidates[--_count];
        _candidates[Table[frame].Newer] = last;
        Table[last].Newer = Table[frame].Newer;
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, int ghost) =>
        _candidates[(int)Math.BigMul(_random.Next(), (ulong)_count, out _)];

    /// <inheritdoc/>
    protected override void SaveMore(StateWriter writer)
    {
        writer.WriteArray<int>(_candidates.AsSpan(0, _count));
        writer.Write(_random.State);
    }

    /// <inheritdoc/>
    protected override void LoadMore(StateReader reader)
    {
        int[] candidates = reader.ReadArray<int>("candidates", Table.HighWater);
        _candidates = new int[Math.Max(64, candidates.Length)];
        _count = 0;
        foreach (int frame in candidates)
        {
            if (frame < 0 || Table.Find((ulong)frame) == FrameTable.None || (Table[frame].Flags & (FrameFlags.Resident | FrameFlags.Pinned)) != FrameFlags.Resident)
                throw reader.Refuse("candidates", $"has {frame}, which cannot be chosen");
            Return(frame);
        }

        _random = new SplitMix64(reader.ReadUInt64("random"));
    }

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        FrameTable.Require(_count == Count - PinnedCount, "the candidates are not the frames that are not pinned");
        for (int place = 0; place < _count; place++)
            FrameTable.Require(Table[_candidates[place]].Newer == place, "a candidate stands elsewhere");
    }
}
