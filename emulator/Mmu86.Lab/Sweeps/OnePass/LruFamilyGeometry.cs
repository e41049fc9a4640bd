using System.Numerics;

namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>The arrays of an <see cref="LruFamily"/>: every set count with every number of ways from 1 to the most.</summary>
public sealed class LruFamilyGeometry
{
    /// <summary>The largest number of ways that a family can have.</summary>
    public const int WaysLimit = 16;

    /// <summary>The largest number of sets that a family can have.</summary>
    public const int SetsLimit = 1 << 16;

    /// <summary>Describes a family.</summary>
    /// <param name="setCounts">Powers of two from 1 to <see cref="SetsLimit"/>, each larger than the one before.</param>
    /// <param name="mostWays">1 to <see cref="WaysLimit"/>.</param>
    /// <exception cref="ArgumentException">There is no set count, or they are not powers of two in rising order.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A set count or the number of ways is out of range.</exception>
    public LruFamilyGeometry(IReadOnlyList<int> setCounts, int mostWays)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mostWays, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mostWays, WaysLimit);
        if (setCounts.Count == 0)
            throw new ArgumentException("A family needs at least one set count.", nameof(setCounts));
        for (int i = 0; i < setCounts.Count; i++)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(setCounts[i], 1, nameof(setCounts));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(setCounts[i], SetsLimit, nameof(setCounts));
            if (!BitOperations.IsPow2(setCounts[i]) || (i > 0 && setCounts[i] <= setCounts[i - 1]))
                throw new ArgumentException($"Set counts must be rising powers of two; {setCounts[i]} is out of place.", nameof(setCounts));
        }

        SetCounts = [.. setCounts];
        MostWays = mostWays;
    }

    /// <summary>The set counts, rising.</summary>
    public IReadOnlyList<int> SetCounts { get; }

    /// <summary>The largest number of ways.</summary>
    public int MostWays { get; }
}
