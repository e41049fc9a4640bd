using System.Numerics;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Sharing;

/// <summary>The order in which the pages of a machine are looked at: 2 MiB after 2 MiB at random, and in each page after page at random.</summary>
/// <remarks>Each once in a round, each round in another order. Whole untouched ranges of 2 MiB are passed over at once.</remarks>
internal sealed class ScanOrder
{
    private const int RangeBits = 9;

    private readonly ulong _frames;
    private readonly ulong _seed;
    private readonly int _bits;
    private RandomPermutation _ranges;
    private RandomPermutation _pages;
    private ulong _range;
    private ulong _page;
    private ulong _round;

    /// <summary>Begins the first round.</summary>
    /// <param name="frames">Frames of the machine's RAM.</param>
    /// <param name="seed">Of the order.</param>
    public ScanOrder(ulong frames, ulong seed)
    {
        _frames = frames;
        _seed = seed;
        _bits = 64 - BitOperations.LeadingZeroCount((frames - 1) >> RangeBits);
        BeginRound();
    }

    /// <summary>Rounds that were finished.</summary>
    public ulong Rounds => _round - 1;

    /// <summary>Goes on by one step.</summary>
    /// <returns>False where the step led to nothing to look at.</returns>
    public bool TryStep(GuestMemoryManager memory, out GuestFrameNumber frame)
    {
        ulong range = _ranges[_range];
        ulong ordinal = (range << RangeBits) + _pages[_page];
        frame = GuestMemoryManager.RamFrame(ordinal);
        if (_page == 0 && (range << RangeBits >= _frames || memory.IsUntouched(GuestMemoryManager.RamFrame(range << RangeBits))))
        {
            NextRange();
            return false;
        }

        if (++_page == _pages.Count)
            NextRange();
        return ordinal < _frames;
    }

    /// <summary>Writes how far it is.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(_round);
        writer.Write(_range);
        writer.Write(_page);
    }

    /// <summary>Reads it back into one of as many frames and the same seed.</summary>
    public void Load(StateReader reader)
    {
        _round = reader.ReadUInt64("round", 1, ulong.MaxValue) - 1;
        BeginRound();
        _range = reader.ReadUInt64("range", 0, _ranges.Count - 1);
        if (_range != 0)
            _pages = new RandomPermutation(RangeBits, _seed ^ (_round << 32) ^ _range);
        _page = reader.ReadUInt64("page", 0, _pages.Count - 1);
    }

    private void NextRange()
    {
        _page = 0;
        if (++_range == _ranges.Count)
            BeginRound();
        else
            _pages = new RandomPermutation(RangeBits, _seed ^ (_round << 32) ^ _range);
    }

    private void BeginRound()
    {
        _range = 0;
        _ranges = new RandomPermutation(_bits, _seed + _round);
        _round++;
        _pages = new RandomPermutation(RangeBits, _seed ^ (_round << 32));
    }
}
