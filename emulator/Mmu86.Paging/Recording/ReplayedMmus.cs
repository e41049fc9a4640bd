using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Machines that are asked what a recorded one was asked. They are real MMUs; what they walk are the recorded tables.</summary>
/// <remarks>
/// The tables stand in a memory of their own at the addresses that they had. Accessed and dirty flags come with the stream, so these MMUs set
/// none; everything else they do as if they ran the guest. Not for use by two threads at once.
/// </remarks>
public sealed class ReplayedMmus : IDisposable
{
    private readonly HostMemory _memory;
    private readonly Mmu<Unobserved>[] _mmus;
    private readonly ReplayMember[] _members;

    // Of each front, those that share levels with it; empty for the others.
    private readonly int[][] _behind;
    private readonly List<(LookupEvent Lookup, ReplayOutcome Outcome)> _unanswered = [];
    private bool _isDisposed;

    /// <summary>Builds the machines.</summary>
    /// <param name="memoryBytes">The size of the recorded host's memory.</param>
    /// <param name="members">The machines; their seed is the run's.</param>
    public ReplayedMmus(ulong memoryBytes, IReadOnlyList<ReplayMember> members)
    {
        _memory = new HostMemory(memoryBytes, BackingPages.Small);
        _members = [.. members];
        _mmus = [.. members.Select(member => new Mmu<Unobserved>(_memory, Own(member) with { LookUpEveryAccess = true, IsReplay = true }, default))];
        _behind = [.. Enumerable.Range(0, members.Count).Select(front => Enumerable.Range(0, members.Count).Where(i => i != front && members[i].Front == front).ToArray())];
    }

    /// <summary>The last moment that the stream told of; null before the first.</summary>
    public StreamMark? LastMark { get; private set; }

    /// <summary>What a machine counted. Lookups that the recorder's shortcut answered are hits that it does not know of.</summary>
    /// <exception cref="ObjectDisposedException">It is gone.</exception>
    public MmuStatistics Statistics(int machine)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        MmuStatistics own = _mmus[machine].Statistics;
        ReplayMember member = _members[machine];
        if (member.Shared == SharedLevels.None)
            return own;
        MmuStatistics front = _mmus[member.Front].Statistics;
        bool sharesBoth = member.Shared == SharedLevels.Both;
        int firstLevelArrays = member.Configuration.L1Instruction.Arrays.Count + member.Configuration.L1Data.Arrays.Count;
        return own with
        {
            L1Instruction = front.L1Instruction,
            L1Data = front.L1Data,
            L2 = sharesBoth ? front.L2 : own.L2,
            Structures = sharesBoth ? front.Structures : [.. front.Structures.Take(firstLevelArrays), .. own.Structures],
        };
    }

    /// <summary>Asks every machine what a chunk of the stream tells.</summary>
    public void Apply(StreamChunk chunk)
    {
        ReadOnlySpan<ulong> words = chunk.Words.AsSpan(0, chunk.Count);
        int position = 0;
        while (position < words.Length)
        {
            if (TranslationStreamReader.Operation(words[position]) != StreamOperation.Lookup)
            {
                int length = TranslationStreamReader.Length(words[position]);
                Apply(words.Slice(position, length));
                position += length;
                continue;
            }

            int end = position + LookupEvent.Words;
            while (end < words.Length && TranslationStreamReader.Operation(words[end]) == StreamOperation.Lookup)
                end += LookupEvent.Words;
            // Machine by machine: each finds its structures in the real machine's caches.
            for (int machine = 0; machine < _mmus.Length; machine++)
            {
                if (_members[machine].Shared == SharedLevels.None)
                    LookUp(machine, words[position..end]);
            }

            position = end;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _isDisposed = true;
        foreach (Mmu<Unobserved> mmu in _mmus)
            mmu.Dispose();
        _memory.Dispose();
    }

    private void LookUp(int machine, ReadOnlySpan<ulong> words)
    {
        Mmu<Unobserved> mmu = _mmus[machine];
        if (_behind[machine].Length == 0)
        {
            for (int i = 0; i < words.Length; i += LookupEvent.Words)
                Replay(mmu, new LookupEvent(words[i], words[i + 1]));
            return;
        }

        _unanswered.Clear();
        for (int i = 0; i < words.Length; i += LookupEvent.Words)
        {
            LookupEvent lookup = new(words[i], words[i + 1]);
            ReplayOutcome outcome = mmu.Foresee(lookup.Address, lookup.Kind, lookup.Mode);
            if (outcome != ReplayOutcome.FirstLevel)
                _unanswered.Add((lookup, outcome));
            Replay(mmu, lookup);
        }

        foreach (int behind in _behind[machine])
        {
            if (_members[behind].Shared == SharedLevels.First)
                LookUpBelowFirst(_mmus[behind]);
            else
                LookUpBelowBoth(_mmus[behind]);
        }
    }

    private static void Replay(Mmu<Unobserved> mmu, LookupEvent lookup) => mmu.Replay(lookup.Address, lookup.Kind, lookup.Mode, lookup.Repeats);

    private void LookUpBelowFirst(Mmu<Unobserved> mmu)
    {
        foreach ((LookupEvent lookup, ReplayOutcome outcome) in _unanswered)
        {
            if (outcome is ReplayOutcome.FirstLevelNotDirty or ReplayOutcome.FirstLevelDenied)
                mmu.ReplayRefresh(lookup.Address, lookup.Kind, lookup.Mode, ReasonOf(outcome));
            else
                mmu.Replay(lookup.Address, lookup.Kind, lookup.Mode, 1);
        }
    }

    private void LookUpBelowBoth(Mmu<Unobserved> mmu)
    {
        foreach ((LookupEvent lookup, ReplayOutcome outcome) in _unanswered)
        {
            if (outcome == ReplayOutcome.Miss)
                mmu.Replay(lookup.Address, lookup.Kind, lookup.Mode, 1);
            else if (outcome != ReplayOutcome.SecondLevel)
                mmu.ReplayWalk(lookup.Address, lookup.Kind, lookup.Mode, ReasonOf(outcome));
        }
    }

    private static WalkReason ReasonOf(ReplayOutcome outcome) =>
        outcome is ReplayOutcome.FirstLevelNotDirty or ReplayOutcome.SecondLevelNotDirty ? WalkReason.Dirty : WalkReason.Rights;

    // Without the levels that its front simulates.
    private static MmuConfiguration Own(ReplayMember member)
    {
        TlbLevelConfiguration none = new() { Arrays = [] };
        MmuConfiguration own = member.Configuration;
        if (member.Shared != SharedLevels.None)
            own = own with { L1Instruction = none, L1Data = none };
        return member.Shared == SharedLevels.Both ? own with { L2 = none, L2Instruction = own.L2Instruction is null ? null : none } : own;
    }

    private void Apply(ReadOnlySpan<ulong> words)
    {
        switch (TranslationStreamReader.Operation(words[0]))
        {
            case StreamOperation.Context:
                PagingContext context = TranslationStreamReader.Context(words);
                foreach (Mmu<Unobserved> mmu in _mmus)
                    mmu.SetContext(context);
                break;
            case StreamOperation.Table:
                Place(words[0] & ~0xFFFUL, words[1..]);
                break;
            case StreamOperation.TableLine:
                Place(words[0] & ~0x3FUL, words[1..]);
                break;
            case StreamOperation.Invalidation:
                foreach (Mmu<Unobserved> mmu in _mmus)
                    Invalidate(mmu, (StreamInvalidation)(words[0] >> 4), words[1], words[2]);
                break;
            case StreamOperation.Mark:
                LastMark = TranslationStreamReader.Mark(words);
                break;
            case StreamOperation.PageRemoved:
            case StreamOperation.AddressRemoved:
            case StreamOperation.SpaceRemoved:
            case StreamOperation.SpaceLeft:
                break; // each machine drops its own
            case StreamOperation.Lookup:
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    private static void Invalidate(Mmu<Unobserved> mmu, StreamInvalidation what, ulong first, ulong second)
    {
        switch (what)
        {
            case StreamInvalidation.Page:
                mmu.InvalidatePage(new LinearAddress(first));
                break;
            case StreamInvalidation.PageOfPcid:
                mmu.InvalidatePage(new LinearAddress(first), (ushort)second);
                break;
            case StreamInvalidation.Pcid:
                mmu.InvalidatePcid((ushort)first);
                break;
            case StreamInvalidation.AllNonGlobal:
                mmu.InvalidateAllNonGlobal();
                break;
            case StreamInvalidation.All:
                mmu.InvalidateAll();
                break;
            case StreamInvalidation.AfterPageFault:
                mmu.InvalidateAfterPageFault(new LinearAddress(first));
                break;
            case StreamInvalidation.EptContext:
                mmu.InvalidateEptContext(first);
                break;
            case StreamInvalidation.EptAll:
                mmu.InvalidateEptAll();
                break;
            case StreamInvalidation.Vpid:
                mmu.InvalidateVpid((ushort)first);
                break;
            default:
                throw new TranslationStreamException($"a translation stream has an invalidation of kind {(int)what}");
        }
    }

    private void Place(ulong address, ReadOnlySpan<ulong> entries)
    {
        if (_memory.IsRam(new HostPhysicalAddress(address), (ulong)entries.Length * sizeof(ulong)))
            _memory.Write(new HostPhysicalAddress(address), System.Runtime.InteropServices.MemoryMarshal.AsBytes(entries));
    }
}
