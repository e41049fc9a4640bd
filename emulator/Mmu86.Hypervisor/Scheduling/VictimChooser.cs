using System.Numerics;
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
    private const ulong ChosenNote = ulong.MaxValue;

    // What no run comes to, so that numbers behind one that was restored are none of the note above.
    private const ulong MostSavedEvictions = 1UL << 62;

    private readonly IReplacementPolicy _policy;
    private readonly WorkingSetSampler? _sampler;

    // Chosen since the last batch, in this order, and how many of them are still resident.
    private readonly List<ulong> _batch = [];
    private int _chosen;

    // Of each frame whether it is chosen and still resident, or the number of its eviction if it was evicted. How long it was away is what some policies go by.
    private readonly FrameNotes _notes = new();
    private ulong _evictions;
    private AccessInformation? _access;

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

    /// <summary>The time that the policy was last told.</summary>
    internal ulong Now => _policy.Now;

    /// <inheritdoc/>
    public void BecameResident(GuestFrameNumber first, ulong frames, bool wasSwapped)
    {
        for (ulong frame = first.Value; frame < first.Value + frames; frame++)
        {
            ref ulong note = ref _notes[frame];
            ulong number = note;
            note = 0;
            _policy.Inserted(new GuestFrameNumber(frame), wasSwapped && number != 0 ? Insertion.SwappedIn(_evictions - number) : Insertion.Populated);
        }
    }

    /// <inheritdoc/>
    public void LeftResidence(GuestFrameNumber frame, Removal how)
    {
        ref ulong note = ref _notes[frame.Value];
        if (note == ChosenNote)
            _chosen--;
        else
            _policy.Removed(frame, how);
        note = how == Removal.Evicted ? ++_evictions : 0;
    }

    /// <summary>Chooses a frame. It may clear accessed flags; the invalidation that this needs is the caller's.</summary>
    /// <param name="memory">The machine's memory, and what hardware shows of its use.</param>
    /// <param name="victim">A resident frame that was not chosen since <see cref="TakeBack"/>.</param>
    /// <returns>False where none is left.</returns>
    public bool TryChoose(GuestMemoryManager memory, out GuestFrameNumber victim)
    {
        if (!_policy.TryChooseVictim(AccessTo(memory), incoming: null, out victim))
            return false;
        _policy.Removed(victim, Removal.Evicted);
        _notes[victim.Value] = ChosenNote;
        _batch.Add(victim.Value);
        _chosen++;
        return true;
    }

    /// <summary>The batch is over: what was chosen and is still resident goes back into the books.</summary>
    public void TakeBack()
    {
        if (_chosen != 0)
        {
            _batch.Sort();
            foreach (ulong frame in _batch)
            {
                ref ulong note = ref _notes[frame];
                if (note != ChosenNote)
                    continue;
                note = 0;
                _policy.Inserted(new GuestFrameNumber(frame), Insertion.SwappedIn(0));
            }

            _chosen = 0;
        }

        _batch.Clear();
    }

    /// <summary>Virtual time has passed: policies that watch accessed flags look at some. The invalidation that this needs is the caller's.</summary>
    /// <param name="memory">The machine's memory.</param>
    /// <param name="virtualNanoseconds">For how long the machine has worked: flags of one that waits or idles tell nothing new.</param>
    public void Tick(GuestMemoryManager memory, ulong virtualNanoseconds) => _policy.Tick(AccessTo(memory), virtualNanoseconds);

    // A machine has one memory.
    private AccessInformation AccessTo(GuestMemoryManager memory) =>
        _access is { } access && access.Memory == memory ? access : _access = new AccessInformation(memory, _sampler);

    /// <summary>Writes the policy's books, and when each frame was evicted. Between two batches.</summary>
    /// <exception cref="InvalidOperationException">A batch was not taken back.</exception>
    internal void Save(StateWriter writer)
    {
        if (_chosen != 0)
            throw new InvalidOperationException("Victims have been chosen that are neither evicted nor taken back.");
        writer.Write(_evictions);
        writer.Write(_notes.All().Count());
        foreach ((ulong frame, ulong note) in _notes.All())
        {
            writer.Write(frame);
            writer.Write(note);
        }

        _policy.Save(writer);
    }

    /// <summary>Reads them back in place of what is known.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="memory">The machine's memory, of which nothing is restored yet.</param>
    internal void Load(StateReader reader, GuestMemoryManager memory)
    {
        _chosen = 0;
        _batch.Clear();
        _notes.Clear();
        _evictions = reader.ReadUInt64("evictions", 0, MostSavedEvictions);
        for (int left = reader.ReadInt32("evicted", 0, int.MaxValue); left > 0; left--)
        {
            ulong frame = reader.ReadUInt64("evictedFrame", 0, ReplacementOptions.MostFrameLimit - 1);
            if (!memory.IsFrame(new GuestFrameNumber(frame)))
                throw reader.Refuse("evictedFrame", $"is 0x{frame:x}, which is no RAM of the machine");
            ref ulong note = ref _notes[frame];
            if (note != 0)
                throw reader.Refuse("evictedFrame", "is there twice");
            note = reader.ReadUInt64("eviction", 1, _evictions);
        }

        _policy.Load(reader);
    }

    /// <summary>Whether the frames that the policy knows as resident are those that are.</summary>
    internal bool Agrees(GuestMemoryManager memory) =>
        (ulong)_policy.Count == memory.ResidentFrames && _policy.PinnedCount == 0
        && memory.Residents().All(frame => _policy.IsResident(frame.Guest));

    private sealed class AccessInformation(GuestMemoryManager memory, WorkingSetSampler? sampler) : IAccessInformation
    {
        public GuestMemoryManager Memory => memory;

        public bool TestAndClearAccessed(GuestFrameNumber frame)
        {
            if (!memory.TestAndClearAccessed(frame))
                return false;
            sampler?.NoteAccessed(frame);
            return true;
        }

        public ulong TestAndClearAccessed(GuestFrameNumber first, ulong frames)
        {
            ulong used = memory.TestAndClearAccessed(first, frames);
            if (sampler is not null)
            {
                for (ulong left = used; left != 0; left &= left - 1)
                    sampler.NoteAccessed(new GuestFrameNumber(first.Value + (ulong)BitOperations.TrailingZeroCount(left)));
            }

            return used;
        }

        public bool IsDirty(GuestFrameNumber frame) => memory.IsDirty(frame);

        public void StartCleaning(GuestFrameNumber frame) => memory.TryClean(frame);
    }
}
