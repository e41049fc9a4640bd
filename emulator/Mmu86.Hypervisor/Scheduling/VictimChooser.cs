using Mmu86.Hypervisor.Replacement;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>A replacement policy beside the memory of one machine: it hears of every frame, and says which one gives way.</summary>
/// <remarks>
/// Victims are chosen in batches, which are evicted with one invalidation. So a victim leaves the policy's books when it is chosen; one that
/// stays after all, because swap refused it, comes back by <see cref="TakeBack"/>.
/// </remarks>
public sealed class VictimChooser : IResidencyObserver
{
    private readonly IReplacementPolicy _policy;
    private readonly WorkingSetSampler? _sampler;
    private readonly HashSet<ulong> _chosen = [];

    // The number of each evicted frame's eviction: how long it was away is what some policies go by.
    private readonly Dictionary<ulong, ulong> _evictedAs = [];
    private ulong _evictions;

    /// <summary>Makes one for a machine.</summary>
    /// <param name="policy">Knows no frame yet and is nobody else's.</param>
    /// <param name="sampler">Told which flags the policy clears, for it watches some too; null for nobody.</param>
    public VictimChooser(IReplacementPolicy policy, WorkingSetSampler? sampler)
    {
        _policy = policy;
        _sampler = sampler;
    }

    /// <summary>The policy's name.</summary>
    public string Policy => _policy.Name;

    /// <summary>Frames that the policy knows as resident.</summary>
    public int Count => _policy.Count;

    /// <inheritdoc/>
    public void BecameResident(GuestFrameNumber first, ulong frames, bool wasSwapped)
    {
        for (ulong frame = first.Value; frame < first.Value + frames; frame++)
        {
            bool wasEvicted = _evictedAs.Remove(frame, out ulong number);
            _policy.Inserted(FrameId.Of(0, frame), wasSwapped && wasEvicted ? Insertion.SwappedIn(_evictions - number) : Insertion.Populated);
        }
    }

    /// <inheritdoc/>
    public void LeftResidence(GuestFrameNumber frame, Removal how)
    {
        if (!_chosen.Remove(frame.Value))
            _policy.Removed(FrameId.Of(0, frame.Value), how);
        if (how == Removal.Evicted)
            _evictedAs[frame.Value] = ++_evictions;
    }

    /// <summary>Chooses a frame. It may clear accessed flags; the invalidation that this needs is the caller's.</summary>
    /// <param name="memory">The machine's memory, and what hardware shows of its use.</param>
    /// <param name="victim">A resident frame that was not chosen since <see cref="TakeBack"/>.</param>
    /// <returns>False where none is left.</returns>
    public bool TryChoose(GuestMemoryManager memory, out GuestFrameNumber victim)
    {
        bool found = _policy.TryChooseVictim(new AccessInformation(memory, _sampler), FrameId.None, out FrameId chosen);
        victim = default;
        if (!found)
            return false;
        _policy.Removed(chosen, Removal.Evicted);
        _chosen.Add(chosen.GuestFrame);
        victim = new GuestFrameNumber(chosen.GuestFrame);
        return true;
    }

    /// <summary>The batch is over: what was chosen and is still resident goes back into the books.</summary>
    public void TakeBack()
    {
        foreach (ulong frame in _chosen.Order())
            _policy.Inserted(FrameId.Of(0, frame), Insertion.SwappedIn(0));
        _chosen.Clear();
    }

    /// <summary>Virtual time has passed: policies that watch accessed flags look at some. The invalidation that this needs is the caller's.</summary>
    /// <param name="memory">The machine's memory.</param>
    /// <param name="virtualNanoseconds">The host's time.</param>
    public void Tick(GuestMemoryManager memory, ulong virtualNanoseconds) => _policy.Tick(new AccessInformation(memory, _sampler), virtualNanoseconds);

    /// <summary>Writes the policy's books, and when each frame was evicted. Between two batches.</summary>
    /// <exception cref="InvalidOperationException">A batch was not taken back.</exception>
    internal void Save(StateWriter writer)
    {
        if (_chosen.Count != 0)
            throw new InvalidOperationException("Victims have been chosen that are neither evicted nor taken back.");
        writer.Write(_evictions);
        writer.Write(_evictedAs.Count);
        foreach ((ulong frame, ulong number) in _evictedAs.OrderBy(pair => pair.Key))
        {
            writer.Write(frame);
            writer.Write(number);
        }

        _policy.Save(writer);
    }

    /// <summary>Reads them back in place of what is known.</summary>
    internal void Load(StateReader reader)
    {
        _chosen.Clear();
        _evictedAs.Clear();
        _evictions = reader.ReadUInt64("evictions");
        for (int left = reader.ReadInt32("evicted", 0, int.MaxValue); left > 0; left--)
        {
            if (!_evictedAs.TryAdd(reader.ReadUInt64("evictedFrame", 0, FrameId.GuestFrameLimit - 1), reader.ReadUInt64("eviction", 0, _evictions)))
                throw reader.Refuse("evictedFrame", "is there twice");
        }

        _policy.Load(reader);
    }

    /// <summary>Whether the frames that the policy knows as resident are those that are.</summary>
    internal bool Agrees(GuestMemoryManager memory) =>
        (ulong)_policy.Count == memory.ResidentFrames && _policy.PinnedCount == 0
        && memory.Residents().All(frame => _policy.IsResident(FrameId.Of(0, frame.Guest.Value)));

    private sealed class AccessInformation(GuestMemoryManager memory, WorkingSetSampler? sampler) : IAccessInformation
    {
        public bool TestAndClearAccessed(FrameId frame)
        {
            var number = new GuestFrameNumber(frame.GuestFrame);
            if (!memory.WasAccessed(number))
                return false;
            sampler?.NoteAccessed(number);
            memory.ClearAccessed(number);
            return true;
        }

        public bool IsDirty(FrameId frame) => memory.IsDirty(new GuestFrameNumber(frame.GuestFrame));

        public void StartCleaning(FrameId frame) => memory.TryClean(new GuestFrameNumber(frame.GuestFrame));
    }
}
