using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>Estimates which part of a machine's resident memory it uses, from a few pages at random.</summary>
/// <remarks>
/// Time is the guest's own: a guest that waits for pages from swap all the time is not idle.
/// Waldspurger, "Memory Resource Management in VMware ESX Server" (OSDI 2002), section 5.3: a hundred pages in each period; their accessed flags are cleared
/// at its start and looked at in its course. The estimate is the largest of a slow average, a fast one, and the fast one with what this period has
/// shown so far, so that it rises at once and falls slowly.
/// </remarks>
public sealed class WorkingSetSampler : IWorkingSetEstimate
{
    /// <summary>All of it.</summary>
    public const uint Whole = 1_000_000;

    private const int Samples = 100;
    private const int LooksInPeriod = 8;

    // Where memory is sparse, the resident page behind a random place will do.
    private const int Tries = 32;
    private const uint FastShare = 2;
    private const uint SlowShare = 8;

    private readonly ulong _period;
    private readonly Dictionary<ulong, bool> _sampled = [];
    private SplitMix64 _random;
    private ulong _periodEnd;
    private ulong _nextLook;
    private uint? _fast;
    private uint _slow;

    /// <summary>Makes one that has seen nothing.</summary>
    /// <param name="periodNanoseconds">Virtual nanoseconds for which pages are watched; not 0.</param>
    /// <param name="seed">Which pages.</param>
    public WorkingSetSampler(ulong periodNanoseconds, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfZero(periodNanoseconds);
        _period = periodNanoseconds;
        _random = new SplitMix64(seed);
    }

    /// <inheritdoc/>
    /// <remarks>All of it until a period has passed.</remarks>
    public uint ActivePartsPerMillion { get; private set; } = Whole;

    /// <summary>Somebody else saw that a page was used, and cleared its flag.</summary>
    public void NoteAccessed(GuestFrameNumber frame)
    {
        if (_sampled.ContainsKey(frame.Value))
            _sampled[frame.Value] = true;
    }

    /// <inheritdoc/>
    public void Tick(GuestMemoryManager memory, ulong now)
    {
        if (now < _nextLook)
            return;
        uint? current = Look(memory);
        if (now >= _periodEnd)
        {
            if (current is { } seen)
            {
                _slow = _fast is null ? seen : Blend(_slow, seen, SlowShare);
                _fast = _fast is { } fast ? Blend(fast, seen, FastShare) : seen;
            }

            Begin(memory);
            _periodEnd = now + _period;
            current = null;
        }

        if (_fast is { } average)
            ActivePartsPerMillion = Math.Max(Math.Max(_slow, average), current is { } sofar ? Blend(average, sofar, FastShare) : 0);
        _nextLook = now + (_period / LooksInPeriod);
    }

    /// <summary>Writes what was seen, and what is watched.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(_random.State);
        writer.Write(_periodEnd);
        writer.Write(_nextLook);
        writer.Write((ulong?)_fast);
        writer.Write(_slow);
        writer.Write(ActivePartsPerMillion);
        writer.Write(_sampled.Count);
        foreach ((ulong frame, bool wasSeen) in _sampled.OrderBy(pair => pair.Key))
        {
            writer.Write(frame);
            writer.Write(wasSeen);
        }
    }

    /// <summary>Reads it back in place of what was seen.</summary>
    public void Load(StateReader reader)
    {
        _random = new SplitMix64(reader.ReadUInt64("samplerRandom"));
        _periodEnd = reader.ReadUInt64("periodEnd");
        _nextLook = reader.ReadUInt64("nextLook");
        _fast = reader.ReadBoolean("hasAverage") ? (uint)reader.ReadUInt64("fastAverage", 0, Whole) : null;
        _slow = reader.ReadUInt32("slowAverage");
        ActivePartsPerMillion = reader.ReadUInt32("active");
        if (_slow > Whole || ActivePartsPerMillion > Whole)
            throw reader.Refuse("active", $"is {ActivePartsPerMillion}, and the average {_slow}, of {Whole}");
        _sampled.Clear();
        for (int left = reader.ReadInt32("samples", 0, Samples); left > 0; left--)
        {
            if (!_sampled.TryAdd(reader.ReadUInt64("sample"), reader.ReadBoolean("wasSeen")))
                throw reader.Refuse("sample", "is there twice");
        }
    }

    private static uint Blend(uint average, uint seen, uint share) => (uint)((((ulong)average * (share - 1)) + seen) / share);

    // What the samples of this period show so far; null where there are none. One that is resident no more was not in use.
    private uint? Look(GuestMemoryManager memory)
    {
        if (_sampled.Count == 0)
            return null;
        ulong used = 0;
        foreach ((ulong frame, bool wasSeen) in _sampled)
            used += wasSeen || memory.WasAccessed(new GuestFrameNumber(frame)) ? 1UL : 0;
        return (uint)(used * Whole / (ulong)_sampled.Count);
    }

    private void Begin(GuestMemoryManager memory)
    {
        _sampled.Clear();
        for (int i = 0; i < Samples && memory.ResidentFrames > 0; i++)
        {
            GuestFrameNumber frame = Choose(memory);
            if (_sampled.TryAdd(frame.Value, false))
                memory.TestAndClearAccessed(frame);
        }
    }

    private GuestFrameNumber Choose(GuestMemoryManager memory)
    {
        GuestFrameNumber frame = default;
        for (int i = 0; i < Tries; i++)
        {
            frame = GuestMemoryManager.RamFrame(_random.Next() % memory.RamFrames);
            if (memory.StateOf(frame) == GuestFrameState.Resident)
                return frame;
        }

        if (!memory.TryFindResident(frame, out GuestFrameNumber next))
            _ = memory.TryFindResident(default, out next);
        return next;
    }
}
