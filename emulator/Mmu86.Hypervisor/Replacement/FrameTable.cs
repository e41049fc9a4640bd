using System.Numerics;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>The books of a policy: what is known of each guest frame, and several lists from oldest to newest, in at most one of which a frame is.</summary>
/// <remarks>
/// Frames are found by their number, with nothing between: frames that are near each other for the guest are near each other here, so that what comes or
/// goes in a run, and a scan, pass the lines of the real machine's cache one after the other. A frame costs 12 bytes, 512 of them together where one was ever
/// known: there is a nested table for these too, so that books never take much more than tables. Every operation but <see cref="Verify"/> takes constant time, growing apart.
/// </remarks>
internal sealed partial class FrameTable
{
    /// <summary>No frame.</summary>
    public const int None = -1;

    /// <summary>The list of frames that are in no list.</summary>
    public const ushort NoList = ushort.MaxValue;

    /// <summary>Frames whose bits are one word: what is scanned at once.</summary>
    public const int GroupFrames = 64;

    private const int PieceShift = 9;
    private const int PieceFrames = 1 << PieceShift;

    private readonly int _limit;
    private readonly FrameList[] _lists;
    private FrameSlot[]?[] _pieces = new FrameSlot[1][];

    // A bit for each frame that is resident and not pinned.
    private ulong[] _candidates = new ulong[PieceFrames / GroupFrames];

    /// <summary>Empty books.</summary>
    /// <param name="lists">How many lists, all empty.</param>
    /// <param name="limit">Guest frame numbers are below this.</param>
    public FrameTable(int lists, int limit)
    {
        _limit = limit;
        _lists = new FrameList[lists];
        Array.Fill(_lists, FrameList.Empty);
    }

    /// <summary>Frames known.</summary>
    public int Count { get; private set; }

    /// <summary>Every frame that was ever known is below this.</summary>
    public int HighWater { get; private set; }

    /// <summary>A frame that was known once, or one of the 511 beside it.</summary>
    public ref FrameSlot this[int frame] => ref _pieces[frame >> PieceShift]![frame & (PieceFrames - 1)];

    /// <summary>A frame if it is known.</summary>
    /// <returns><see cref="None"/> where it is not.</returns>
    public int Find(ulong frame) =>
        frame < (ulong)HighWater && _pieces[frame >> PieceShift] is { } piece && piece[frame & (PieceFrames - 1)].IsKnown ? (int)frame : None;

    /// <summary>Those that are known, in ascending order. None is added or released meanwhile.</summary>
    public IEnumerable<int> Known()
    {
        for (int frame = SkipUnknown(0); frame < HighWater; frame = SkipUnknown(frame + 1))
        {
            if (this[frame].IsKnown)
                yield return frame;
        }
    }

    /// <summary>Makes a frame that is not known a resident one, in no list.</summary>
    /// <exception cref="InvalidOperationException">It is beyond the limit.</exception>
    public int Add(ulong frame)
    {
        Require(frame < (ulong)_limit, "a frame is beyond the guest's memory");
        int added = (int)frame;
        Reach(added);
        this[added].Flags = FrameFlags.Resident;
        Count++;
        return added;
    }

    /// <summary>Takes a frame out of its list, if it is in one, and forgets it.</summary>
    public void Release(int frame)
    {
        Unlink(frame);
        this[frame].Flags = FrameFlags.None;
        Count--;
    }

    /// <summary>Says that a frame is resident and not pinned.</summary>
    public void SetCandidate(int frame) => _candidates[frame / GroupFrames] |= 1UL << frame;

    /// <summary>Takes that back.</summary>
    public void ClearCandidate(int frame) => _candidates[frame / GroupFrames] &= ~(1UL << frame);

    /// <summary>Those of the frames around one that are resident and not pinned.</summary>
    /// <param name="frame">One of the group; any below <see cref="HighWater"/>.</param>
    /// <returns>A bit for each frame of the group, which begins at a multiple of <see cref="GroupFrames"/>.</returns>
    public ulong CandidatesAround(int frame) => _candidates[frame / GroupFrames];

    /// <summary>Passes over pieces of which no frame was ever known.</summary>
    /// <returns>The frame itself where it is in none of them, else the first behind them; at or beyond <see cref="HighWater"/> where there is none.</returns>
    public int SkipUnknown(int frame)
    {
        while (frame < HighWater && _pieces[frame >> PieceShift] is null)
            frame = (frame | (PieceFrames - 1)) + 1;
        return frame;
    }

    /// <summary>The oldest of a list, or <see cref="None"/>.</summary>
    public int Oldest(int list) => _lists[list].Oldest;

    /// <summary>How many are in a list.</summary>
    public int CountOf(int list) => _lists[list].Count;

    /// <summary>Makes a frame the newest of a list, whichever it was in before.</summary>
    public void MoveToNewest(int frame, int list)
    {
        Unlink(frame);
        ref FrameSlot moved = ref this[frame];
        ref FrameList to = ref _lists[list];
        moved.List = (ushort)list;
        moved.Newer = None;
        moved.Older = to.Newest;
        if (to.Newest != None)
            this[to.Newest].Newer = frame;
        else
            to.Oldest = frame;
        to.Newest = frame;
        to.Count++;
    }

    /// <summary>Takes a frame out of its list, if it is in one.</summary>
    public void Unlink(int frame)
    {
        ref FrameSlot moved = ref this[frame];
        if (moved.List == NoList)
            return;
        ref FrameList from = ref _lists[moved.List];
        if (moved.Older != None)
            this[moved.Older].Newer = moved.Newer;
        else
            from.Oldest = moved.Newer;
        if (moved.Newer != None)
            this[moved.Newer].Older = moved.Older;
        else
            from.Newest = moved.Older;
        from.Count--;
        moved.List = NoList;
    }

    /// <summary>Follows every link and counts.</summary>
    /// <exception cref="InvalidOperationException">Something does not agree.</exception>
    public void Verify()
    {
        int known = 0;
        int linked = 0;
        int candidates = 0;
        foreach (int frame in Known())
        {
            FrameSlot slot = this[frame];
            known++;
            linked += slot.List == NoList ? 0 : 1;
            bool isCandidate = (slot.Flags & (FrameFlags.Resident | FrameFlags.Pinned)) == FrameFlags.Resident;
            candidates += isCandidate ? 1 : 0;
            Require((CandidatesAround(frame) >> frame & 1) != 0 == isCandidate, "a frame may be chosen that may not, or may not that may");
        }

        Require(known == Count, "the count of frames is wrong");
        Require(_candidates.Sum(BitOperations.PopCount) == candidates, "a frame may be chosen that is not known");
        for (int list = 0; list < _lists.Length; list++)
        {
            int length = 0;
            int older = None;
            for (int frame = _lists[list].Oldest; frame != None && length <= Count; frame = this[frame].Newer)
            {
                Require(this[frame].List == list && this[frame].Older == older, "a link of a list is wrong");
                older = frame;
                length++;
            }

            Require(length == _lists[list].Count && older == _lists[list].Newest, "the length of a list is wrong");
            linked -= length;
        }

        Require(linked == 0, "a frame is in no list that it names");
    }

    /// <summary>Throws where a fact does not hold.</summary>
    public static void Require(bool holds, string what)
    {
        if (!holds)
            throw new InvalidOperationException($"The books of the replacement policy disagree: {what}.");
    }

    private void Reach(int frame)
    {
        HighWater = Math.Max(HighWater, frame + 1);
        int piece = frame >> PieceShift;
        if (piece >= _pieces.Length)
        {
            int length = (int)BitOperations.RoundUpToPowerOf2((uint)piece + 1);
            Array.Resize(ref _pieces, length);
            Array.Resize(ref _candidates, length * (PieceFrames / GroupFrames));
        }

        _pieces[piece] ??= new FrameSlot[PieceFrames];
    }

    private struct FrameList
    {
        public int Oldest;
        public int Newest;
        public int Count;

        public static FrameList Empty => new() { Oldest = None, Newest = None };
    }
}
