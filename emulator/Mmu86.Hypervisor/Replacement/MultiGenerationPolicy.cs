using System.Numerics;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>A multi-generation LRU after Linux: frames used within the same span of time are a generation, and the oldest generation gives way.</summary>
/// <remarks>
/// <para>Linux, Documentation/mm/multigen_lru.rst. Aging scans accessed flags, moves what was used to the youngest generation, and begins a new one where few are left; eviction
/// takes from the oldest, and moves a frame that is found used to the youngest with its neighbours that are used as well.</para>
/// <para>Simpler than Linux: one type of memory and so no tiers and no balance between types; no filter of tables worth scanning; an eviction ages at most once
/// in a share of memory, so that its work is bounded on average. Different by intent: Linux begins every frame that faults in one of the two youngest
/// generations. A hypervisor sees nothing but faults, so here only a frame that returns within a refault distance of memory's size begins in the youngest;
/// others begin in the oldest, as what Linux reads without a fault, and the first flag after a fault is not taken for a use. That keeps scans out.</para>
/// </remarks>
internal sealed class MultiGenerationPolicy(ReplacementOptions options) : TrackingPolicy("mglru", options, MaxGenerations)
{
    // MIN_NR_GENS of Linux: with no more than these a new generation is due. Its MAX_NR_GENS, 4, leaves one for aging by hand.
    private const int MinGenerations = 2;
    private const int MaxGenerations = MinGenerations + 1;

    // Aging on demand passes all frames: at most once in this share of as many decisions.
    private const int AgingShare = 2;

    // Numbers that were restored grow on, and must not begin again at zero.
    private const ulong MostSaved = 1UL << 62;

    // Numbers of generations only grow; the list of one is its number modulo the most there can be.
    private ulong _oldest;
    private ulong _youngest = MinGenerations - 1;
    private ulong _decisionsSinceAging;

    /// <inheritdoc/>
    protected override bool Scans => true;

    /// <inheritdoc/>
    protected override void Enter(int frame, Insertion how)
    {
        bool isOfTheWorkingSet = how.Kind != InsertionKind.ReadAhead && how.RefaultDistance <= (ulong)Count;
        Table.MoveToNewest(frame, ListOf(isOfTheWorkingSet ? _youngest : _oldest));
    }

    /// <inheritdoc/>
    protected override void Return(int frame) => Table.MoveToNewest(frame, ListOf(_youngest));

    /// <inheritdoc/>
    protected override void Visit(IAccessInformation access, int first, ulong frames)
    {
        ulong used = TestAndClear(access, first, frames);
        for (; frames != 0; frames &= frames - 1)
        {
            int place = BitOperations.TrailingZeroCount(frames);
            bool isFresh = (Table[first + place].Flags & FrameFlags.Fresh) != 0;
            Table[first + place].Flags &= ~FrameFlags.Fresh;
            if ((used >> place & 1) != 0 && !isFresh)
                Table.MoveToNewest(first + place, ListOf(_youngest));
        }
    }

    /// <inheritdoc/>
    protected override void ScanCompleted()
    {
        _decisionsSinceAging = 0;
        SkipEmpty();
        if (IsAgingDue)
            _youngest++;
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, int ghost)
    {
        _decisionsSinceAging++;
        for (int left = Count - PinnedCount; left > 0; left--)
        {
            SkipEmpty();
            if (IsAgingDue && _decisionsSinceAging * AgingShare >= (ulong)Count)
            {
                ScanAll(access);
                SkipEmpty();
            }

            int frame = Table.Oldest(ListOf(_oldest));
            bool isFresh = (Table[frame].Flags & FrameFlags.Fresh) != 0;
            if (isFresh || !TestAndClear(access, frame))
                return frame;
            Table.MoveToNewest(frame, ListOf(_youngest));
            LookAround(access, frame);
        }

        SkipEmpty();
        return Table.Oldest(ListOf(_oldest));
    }

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        VerifyLists(MaxGenerations - 1);
        FrameTable.Require(_youngest >= _oldest && _youngest - _oldest < MaxGenerations, "there are too many generations");
        for (ulong beside = 1; beside < MaxGenerations - (_youngest - _oldest); beside++)
            FrameTable.Require(Table.CountOf(ListOf(_youngest + beside)) == 0, "a frame is of no generation that there is");
    }

    /// <inheritdoc/>
    protected override void SaveMore(StateWriter writer) => writer.WriteArray<ulong>([_oldest, _youngest, _decisionsSinceAging]);

    /// <inheritdoc/>
    protected override void LoadMore(StateReader reader)
    {
        Span<ulong> generations = stackalloc ulong[3];
        reader.ReadArray("generations", generations);
        (_oldest, _youngest, _decisionsSinceAging) = (generations[0], generations[1], generations[2]);
        if (Math.Max(_youngest, _decisionsSinceAging) > MostSaved)
            throw reader.Refuse("generations", "are more than any run comes to");
    }

    private bool IsAgingDue => _youngest - _oldest + 1 <= MinGenerations;

    private static int ListOf(ulong generation) => (int)(generation % MaxGenerations);

    private void SkipEmpty()
    {
        while (_oldest < _youngest && Table.CountOf(ListOf(_oldest)) == 0)
            _oldest++;
    }

    // Linux looks at the BITS_PER_LONG entries around the one found used: a group.
    private void LookAround(IAccessInformation access, int centre) =>
        Visit(access, centre & -FrameTable.GroupFrames, Table.CandidatesAround(centre) & ~(1UL << centre));
}
