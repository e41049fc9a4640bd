using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Mmu86.Lab.Sweeps.OnePass;

namespace Mmu86.Bench.Parts;

/// <summary>One LRU array of 16 sets and 4 ways and nothing else, as fast as we can: what a sweep's cost is measured by.</summary>
/// <remarks>A set is one vector of tags, most recent first. A hit of the front costs one compare; all else a vector compare and one permutation.
/// No invalidations, and page numbers below 2^48.</remarks>
internal sealed class DirectLru
{
    /// <summary>Its sets.</summary>
    public const int Sets = 16;

    /// <summary>Its ways.</summary>
    public const int Ways = 4;

    private const int SpaceShift = 48;

    private readonly ulong[] _tags = Enumerable.Repeat(ulong.MaxValue, Sets * Ways).ToArray();

    // What goes where when the way of this number comes to the front, in halves of a tag; the last row is for a miss.
    private readonly Vector256<int>[] _moves =
    [
        Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7),
        Vector256.Create(2, 3, 0, 1, 4, 5, 6, 7),
        Vector256.Create(4, 5, 0, 1, 2, 3, 6, 7),
        Vector256.Create(6, 7, 0, 1, 2, 3, 4, 5),
        Vector256.Create(6, 7, 0, 1, 2, 3, 4, 5),
    ];

    /// <summary>Lookups so far.</summary>
    public long Lookups { get; private set; }

    /// <summary>Lookups that found nothing.</summary>
    public long Misses { get; private set; }

    /// <summary>Many lookups, in order.</summary>
    public void Access(ReadOnlySpan<PageReference> references)
    {
        ref ulong tags = ref MemoryMarshal.GetArrayDataReference(_tags);
        ref Vector256<int> moves = ref MemoryMarshal.GetArrayDataReference(_moves);
        long lookups = 0;
        long misses = 0;
        foreach (ref readonly PageReference reference in references)
        {
            lookups += reference.Repeats;
            ulong tag = reference.Page | ((ulong)reference.Space << SpaceShift);
            ref ulong set = ref Unsafe.Add(ref tags, (nint)(reference.Page % Sets) * Ways);
            if (set == tag)
                continue;
            Vector256<ulong> row = Vector256.LoadUnsafe(ref set);
            int way = BitOperations.TrailingZeroCount(Vector256.Equals(row, Vector256.Create(tag)).ExtractMostSignificantBits() | (1u << Ways));
            misses += way >> 2;
            Vector256.Shuffle(row.AsInt32(), Unsafe.Add(ref moves, way)).AsUInt64().WithElement(0, tag).StoreUnsafe(ref set);
        }

        Lookups += lookups;
        Misses += misses;
    }
}
