using System.Numerics;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Loaders;

/// <summary>Gives out guest frames of a range of RAM, always the lowest that fit, so that a run is the same every time.</summary>
/// <remarks>
/// Two bits a frame: taken, and used before. A bitmap because a guest that maps and unmaps as it likes cannot make it slow or large:
/// 1 TiB of RAM is 32 MiB of bits, of which what was never asked for stays untouched.
/// </remarks>
public sealed class GuestFrameAllocator
{
    private const int FramesPerWord = 64;

    private readonly ulong _firstFrame; // a multiple of 64: frame _firstFrame + i is bit i
    private readonly ulong _endFrame;
    private readonly ulong[] _taken;
    private readonly ulong[] _usedBefore;

    // Below these bits no frame is free (4 KiB), or no aligned run of frames is (2 MiB, 1 GiB).
    private readonly ulong[] _searchFrom = new ulong[3];

    /// <summary>Takes over the RAM from <paramref name="start"/> to <paramref name="end"/>; the device hole, where inside, is left out.</summary>
    /// <param name="start">A multiple of 4096.</param>
    /// <param name="end">A multiple of 4096; one past the last byte.</param>
    public GuestFrameAllocator(GuestPhysicalAddress start, GuestPhysicalAddress end)
    {
        _firstFrame = start.Frame.Value & ~(FramesPerWord - 1UL);
        _endFrame = Math.Max(start.Frame.Value, end.Frame.Value);
        ulong words = (_endFrame - _firstFrame + FramesPerWord - 1) / FramesPerWord;
        _taken = new ulong[words];
        _usedBefore = new ulong[words];
        FreeFrames = _endFrame - start.Frame.Value;
        SetTaken(0, start.Frame.Value - _firstFrame);
        SetTaken(_endFrame - _firstFrame, (words * FramesPerWord) - (_endFrame - _firstFrame));

        ulong holeStart = Math.Clamp(GuestPhysicalLayout.HoleStart.Frame.Value, start.Frame.Value, _endFrame);
        ulong holeEnd = Math.Clamp(GuestPhysicalLayout.HoleEnd.Frame.Value, start.Frame.Value, _endFrame);
        SetTaken(holeStart - _firstFrame, holeEnd - holeStart);
        FreeFrames -= holeEnd - holeStart;
    }

    /// <summary>How many 4 KiB frames nobody has.</summary>
    public ulong FreeFrames { get; private set; }

    /// <summary>Takes the lowest free frame.</summary>
    /// <returns>False where none is free.</returns>
    public bool TryTake(out FrameRun run) => TryTakeRun(1, out run);

    /// <summary>Takes frames from the lowest free one on, as many as lie together and are alike, up to a limit.</summary>
    /// <param name="limit">The most frames to take; at least 1.</param>
    /// <returns>False where no frame is free.</returns>
    public bool TryTakeRun(ulong limit, out FrameRun run)
    {
        run = default;
        ulong start = NextFree(_searchFrom[0]);
        _searchFrom[0] = start;
        if (start >= Bits)
            return false;

        bool used = IsSet(_usedBefore, start);
        ulong count = 1;
        while (count < limit && start + count < Bits && !IsSet(_taken, start + count) && IsSet(_usedBefore, start + count) == used)
        {
            bool wholeWord = (start + count) % FramesPerWord == 0 && limit - count >= FramesPerWord
                && _taken[(start + count) / FramesPerWord] == 0
                && _usedBefore[(start + count) / FramesPerWord] == (used ? ulong.MaxValue : 0);
            count += wholeWord ? FramesPerWord : 1UL;
        }

        run = Take(start, count, used);
        return true;
    }

    /// <summary>Takes the frames of one page, aligned to its size.</summary>
    /// <returns>False where no such run is free.</returns>
    public bool TryTakePage(PageSize size, out FrameRun run)
    {
        if (size == PageSize.Size4K)
            return TryTakeRun(1, out run);

        run = default;
        ulong frames = size.Bytes() >> 12;
        for (ulong bit = AlignUp(Math.Max(_searchFrom[(int)size], _searchFrom[0]), frames); bit + frames <= Bits; bit += frames)
        {
            _searchFrom[(int)size] = bit;
            if (_taken.AsSpan((int)(bit / FramesPerWord), (int)(frames / FramesPerWord)).ContainsAnyExcept(0UL))
                continue;
            bool used = _usedBefore.AsSpan((int)(bit / FramesPerWord), (int)(frames / FramesPerWord)).ContainsAnyExcept(0UL);
            run = Take(bit, frames, used);
            return true;
        }

        return false;
    }

    /// <summary>Gives frames back. Their bytes stay until someone takes them and clears them.</summary>
    public void Release(GuestFrameNumber start, ulong count)
    {
        ulong bit = start.Value - _firstFrame;
        for (ulong i = bit; i < bit + count; i++)
            _usedBefore[i / FramesPerWord] |= 1UL << (int)(i % FramesPerWord);
        PutBack(start, count);
    }

    /// <summary>Gives frames back that nobody wrote since they were taken.</summary>
    public void PutBack(GuestFrameNumber start, ulong count)
    {
        ulong bit = start.Value - _firstFrame;
        for (ulong i = bit; i < bit + count; i++)
            _taken[i / FramesPerWord] &= ~(1UL << (int)(i % FramesPerWord));
        FreeFrames += count;
        for (PageSize size = PageSize.Size4K; size <= PageSize.Size1G; size++)
            _searchFrom[(int)size] = Math.Min(_searchFrom[(int)size], bit);
    }

    /// <summary>Writes which frames are taken and which were used before.</summary>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<ulong>(_taken);
        writer.WriteArray<ulong>(_usedBefore);
        writer.WriteArray<ulong>(_searchFrom);
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        reader.ReadArray<ulong>("taken", _taken);
        reader.ReadArray<ulong>("usedBefore", _usedBefore);
        reader.ReadArray<ulong>("searchFrom", _searchFrom);
        foreach (ulong bit in _searchFrom)
        {
            if (bit > Bits)
                throw reader.Refuse("searchFrom", "lies behind the end of memory");
        }

        FreeFrames = 0;
        foreach (ulong word in _taken)
            FreeFrames += 64 - (ulong)BitOperations.PopCount(word);
        if (Bits % FramesPerWord != 0 && _taken[^1] >> (int)(Bits % FramesPerWord) != ulong.MaxValue >> (int)(Bits % FramesPerWord))
            throw reader.Refuse("taken", "leaves frames behind the end of memory free");
    }

    private ulong Bits => _endFrame - _firstFrame;

    private static bool IsSet(ulong[] words, ulong bit) => (words[bit / FramesPerWord] >> (int)(bit % FramesPerWord) & 1) != 0;

    /// <summary>The bit at or above <paramref name="bit"/> whose frame is aligned to so many frames.</summary>
    private ulong AlignUp(ulong bit, ulong frames) => ((bit + _firstFrame + frames - 1) & ~(frames - 1)) - _firstFrame;

    private ulong NextFree(ulong bit)
    {
        for (ulong word = bit / FramesPerWord; word < (ulong)_taken.Length; word++)
        {
            ulong free = ~_taken[word];
            if (word == bit / FramesPerWord)
                free &= ulong.MaxValue << (int)(bit % FramesPerWord);
            if (free != 0)
                return (word * FramesPerWord) + (ulong)BitOperations.TrailingZeroCount(free);
        }

        return Bits;
    }

    private FrameRun Take(ulong bit, ulong count, bool used)
    {
        SetTaken(bit, count);
        FreeFrames -= count;
        return new FrameRun(new GuestFrameNumber(_firstFrame + bit), count, used);
    }

    private void SetTaken(ulong bit, ulong count)
    {
        for (ulong i = bit; i < bit + count;)
        {
            bool wholeWord = i % FramesPerWord == 0 && bit + count - i >= FramesPerWord;
            _taken[i / FramesPerWord] |= wholeWord ? ulong.MaxValue : 1UL << (int)(i % FramesPerWord);
            i += wholeWord ? FramesPerWord : 1UL;
        }
    }
}
