using System.Numerics;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <summary>Frames that were given back, so that whole runs of 2 MiB and 1 GiB are found again as soon as their last frame returns.</summary>
/// <remarks>A bitmap for each 2 MiB. Single frames are taken from runs that are broken already, the lowest first: whole runs stay whole.</remarks>
internal sealed class FreeFrames
{
    private const int FramesOfRun = 512;

    private readonly Dictionary<ulong, Run> _runs = [];
    private readonly SortedSet<ulong> _broken = [];
    private readonly SortedSet<ulong> _whole = [];

    /// <summary>How many frames are here.</summary>
    public ulong Count { get; private set; }

    /// <summary>Whether a frame is here.</summary>
    public bool Contains(HostFrameNumber frame) => _runs.TryGetValue(frame.Value / FramesOfRun, out Run? run) && run.Has((int)(frame.Value % FramesOfRun));

    /// <summary>Takes a frame back.</summary>
    /// <exception cref="System.Diagnostics.UnreachableException">It is here already.</exception>
    public void Add(HostFrameNumber frame)
    {
        ulong number = frame.Value / FramesOfRun;
        if (!_runs.TryGetValue(number, out Run? run))
            _runs.Add(number, run = new Run());
        run.Add((int)(frame.Value % FramesOfRun));
        Count++;
        if (run.Count == 1)
            _broken.Add(number);
        if (run.Count != FramesOfRun)
            return;
        _broken.Remove(number);
        _whole.Add(number);
    }

    /// <summary>Takes one frame.</summary>
    public bool TryTake(out HostFrameNumber frame)
    {
        frame = default;
        if (Count == 0)
            return false;
        bool isWhole = _broken.Count == 0;
        ulong number = isWhole ? _whole.Min : _broken.Min;
        Run run = _runs[number];
        frame = new HostFrameNumber((number * FramesOfRun) + (ulong)run.TakeLowest());
        Count--;
        if (isWhole)
        {
            _whole.Remove(number);
            _broken.Add(number);
        }

        if (run.Count == 0)
            _broken.Remove(number);
        return true;
    }

    /// <summary>Takes an aligned run of 2 MiB or 1 GiB.</summary>
    public bool TryTakeRun(PageSize size, out HostFrameNumber first)
    {
        ulong runs = size.Bytes() / PageSize.Size2M.Bytes();
        foreach (ulong number in _whole)
        {
            if (number % runs != 0 || !IsWhole(number, runs))
                continue;
            for (ulong i = 0; i < runs; i++)
            {
                _whole.Remove(number + i);
                _runs[number + i].Clear();
            }

            Count -= runs * FramesOfRun;
            first = new HostFrameNumber(number * FramesOfRun);
            return true;
        }

        first = default;
        return false;
    }

    /// <summary>Forgets all of them.</summary>
    public void Clear()
    {
        _runs.Clear();
        _broken.Clear();
        _whole.Clear();
        Count = 0;
    }

    /// <summary>Writes which frames are here.</summary>
    public void Save(StateWriter writer)
    {
        ulong[] numbers = [.. _broken.Concat(_whole).Order()];
        writer.Write(numbers.Length);
        foreach (ulong number in numbers)
        {
            writer.Write(number);
            writer.WriteArray<ulong>(_runs[number].Bits);
        }
    }

    /// <summary>Reads it back in place of what is here.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="mayBeFree">Whether a frame can be here.</param>
    public void Load(StateReader reader, Predicate<HostFrameNumber> mayBeFree)
    {
        Clear();
        Span<ulong> bits = stackalloc ulong[FramesOfRun / 64];
        ulong next = 0;
        for (int left = reader.ReadInt32("freeRuns", 0, int.MaxValue); left > 0; left--)
        {
            ulong number = reader.ReadUInt64("freeRun", next, ulong.MaxValue >> 16);
            next = number + 1;
            reader.ReadArray("freeFrames", bits);
            for (int index = 0; index < FramesOfRun; index++)
            {
                if ((bits[index >> 6] >> (index & 63) & 1) == 0)
                    continue;
                var frame = new HostFrameNumber((number * FramesOfRun) + (ulong)index);
                if (!mayBeFree(frame))
                    throw reader.Refuse("freeFrames", $"has {frame.Address}, which is none that can be free");
                Add(frame);
            }
        }
    }

    private bool IsWhole(ulong number, ulong runs)
    {
        for (ulong i = 1; i < runs; i++)
        {
            if (!_whole.Contains(number + i))
                return false;
        }

        return true;
    }

    private sealed class Run
    {
        private readonly ulong[] _bits = new ulong[FramesOfRun / 64];

        public int Count { get; private set; }

        public ReadOnlySpan<ulong> Bits => _bits;

        public bool Has(int index) => (_bits[index >> 6] >> (index & 63) & 1) != 0;

        public void Add(int index)
        {
            if (Has(index))
                throw new System.Diagnostics.UnreachableException($"Frame {index} of its run is free already.");
            _bits[index >> 6] |= 1UL << (index & 63);
            Count++;
        }

        public int TakeLowest()
        {
            int word = Array.FindIndex(_bits, bits => bits != 0);
            int index = (word << 6) + BitOperations.TrailingZeroCount(_bits[word]);
            _bits[word] &= _bits[word] - 1;
            Count--;
            return index;
        }

        public void Clear()
        {
            Array.Clear(_bits);
            Count = 0;
        }
    }
}
