using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>Says how far a scan of the books should go when time has passed, so that it is even and never exceeds its rate.</summary>
internal struct ScanPacer(ReplacementOptions options)
{
    private const ulong NanosecondsPerMillisecond = 1_000_000;

    private readonly ulong _period = options.ScanPeriodNanoseconds;
    private readonly ulong _perMillisecond = (ulong)options.FramesScannedPerMillisecond;
    private UInt128 _owed;

    /// <summary>Writes what is owed.</summary>
    public readonly void Save(StateWriter writer)
    {
        writer.Write((ulong)(_owed >> 64));
        writer.Write((ulong)_owed);
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader) => _owed = new UInt128(reader.ReadUInt64("owedHigh", 0, ushort.MaxValue), reader.ReadUInt64("owed"));

    /// <summary>The frames to look at now.</summary>
    /// <param name="elapsed">Nanoseconds since the last call.</param>
    /// <param name="frames">All there are.</param>
    /// <returns>At most all.</returns>
    public int Due(ulong elapsed, int frames)
    {
        if (frames == 0)
            return 0;
        ulong period = Math.Max(_period, (ulong)frames * NanosecondsPerMillisecond / _perMillisecond);
        if (elapsed >= period)
        {
            _owed = 0;
            return frames;
        }

        _owed += (UInt128)elapsed * (ulong)frames;
        UInt128 due = _owed / period;
        _owed -= due * period;
        return (int)UInt128.Min(due, (ulong)frames);
    }
}
