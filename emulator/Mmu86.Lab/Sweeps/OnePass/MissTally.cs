namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>Counts misses by class and by a key, such as the number of a symbol or a page.</summary>
public sealed class MissTally
{
    private const int Classes = (int)MissClass.Invalidation + 1;

    private readonly long[] _total = new long[Classes];
    private long[] _byKey = new long[64 * Classes];

    /// <summary>One more than the largest key so far.</summary>
    public int Keys { get; private set; }

    /// <summary>All misses.</summary>
    public MissClassCounts Total => Counts(_total);

    /// <summary>The misses of one key.</summary>
    /// <param name="key">0 to <see cref="Keys"/> - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">No miss had so large a key, or it is negative.</exception>
    public MissClassCounts this[int key]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(key);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(key, Keys);
            return Counts(_byKey.AsSpan(key * Classes, Classes));
        }
    }

    /// <summary>Counts a miss.</summary>
    /// <param name="key">At least 0; the numbers used should be dense, for memory grows with the largest.</param>
    /// <param name="missClass">Its class.</param>
    public void Add(int key, MissClass missClass)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(key);
        while (checked((key + 1) * Classes) > _byKey.Length)
            Array.Resize(ref _byKey, checked(_byKey.Length * 2));
        Keys = Math.Max(Keys, key + 1);
        _byKey[(key * Classes) + (int)missClass]++;
        _total[(int)missClass]++;
    }

    private static MissClassCounts Counts(ReadOnlySpan<long> counts) => new()
    {
        Compulsory = counts[(int)MissClass.Compulsory],
        Capacity = counts[(int)MissClass.Capacity],
        Conflict = counts[(int)MissClass.Conflict],
        Invalidation = counts[(int)MissClass.Invalidation],
    };
}
