using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>The state of <see cref="Replacement.Srrip"/>: of each entry, in how many intervals its next use is expected, 0 to 3.</summary>
/// <remarks>Jaleel et al., "High Performance Cache Replacement Using Re-Reference Interval Prediction" (ISCA 2010): SRRIP-HP with 2 bits.</remarks>
internal unsafe struct ReferencePrediction
{
    private const byte Distant = 3;

    private byte* _intervals;
    private int _sets;
    private int _ways;
    private int _stride;

    /// <summary>Prepares the state of an array.</summary>
    public void Initialize(Arena arena, int sets, int ways, int stride)
    {
        _sets = sets;
        _ways = ways;
        _stride = stride;
        _intervals = arena.Allocate<byte>((long)sets * stride);
    }

    /// <summary>A hit used a way.</summary>
    public readonly void Touch(int set, int way) => _intervals[((long)set * _stride) + way] = 0;

    /// <summary>A fill used a way: it has to prove itself.</summary>
    public readonly void Fill(int set, int way) => _intervals[((long)set * _stride) + way] = Distant - 1;

    /// <summary>The lowest way whose next use is farthest away; the others age as far as it takes to find it.</summary>
    public readonly int Victim(int set)
    {
        Span<byte> intervals = new(_intervals + ((long)set * _stride), _ways);
        while (true)
        {
            int victim = intervals.IndexOf(Distant);
            if (victim >= 0)
                return victim;
            foreach (ref byte interval in intervals)
                interval++;
        }
    }

    /// <summary>Writes the intervals.</summary>
    public readonly void Save(StateWriter writer) => writer.WriteArray<byte>(Intervals);

    /// <summary>Reads them back.</summary>
    public readonly void Load(StateReader reader)
    {
        reader.ReadArray("intervals", Intervals);
        if (Intervals.ContainsAnyExceptInRange((byte)0, Distant))
            throw reader.Refuse("intervals", $"has one above {Distant}");
    }

    // SAFETY: as many as Initialize allocated.
    private readonly Span<byte> Intervals => new(_intervals, _sets * _stride);
}
