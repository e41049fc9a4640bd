namespace Mmu86.Hypervisor.Replacement;

/// <summary>Any frame that is not pinned, each with the same probability, by the seed. What ESX does when it must swap by itself.</summary>
internal sealed class RandomPolicy(ReplacementOptions options) : TrackingPolicy("random", options, lists: 0, options.MaxResidentFrames)
{
    // The slots that can be chosen, without gaps; a slot's link says where it stands.
    private int[] _candidates = new int[64];
    private int _count;
    private ulong _state = options.Seed;

    /// <inheritdoc/>
    protected override void Enter(int slot, Insertion how) => Return(slot);

    /// <inheritdoc/>
    protected override void Return(int slot)
    {
        if (_count == _candidates.Length)
            Array.Resize(ref _candidates, _count * 2);
        Table[slot].Newer = _count;
        _candidates[_count++] = slot;
    }

    /// <inheritdoc/>
    protected override void Leave(int slot)
    {
        int last = _candidates[--_count];
        _candidates[Table[slot].Newer] = last;
        Table[last].Newer = Table[slot].Newer;
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, FrameId incoming) =>
        _candidates[(int)Math.BigMul(Next(), (ulong)_count, out _)];

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        FrameTable.Require(_count == Count - PinnedCount, "the candidates are not the frames that are not pinned");
        for (int place = 0; place < _count; place++)
            FrameTable.Require(Table[_candidates[place]].Newer == place, "a candidate stands elsewhere");
    }

    // SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (2014).
    private ulong Next()
    {
        ulong mixed = _state += 0x9E37_79B9_7F4A_7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB;
        return mixed ^ (mixed >> 31);
    }
}
