using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>A row in one vector of 512 bits.</summary>
internal readonly struct WideRow : IRecencyRow
{
    /// <summary>Whether this processor has such vectors and is not slowed by them.</summary>
    public static bool IsSupported => Avx512F.IsSupported && Vector512.IsHardwareAccelerated;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Touch(ref uint row, uint id)
    {
        Vector512<uint> old = Vector512.LoadUnsafe(ref row);
        Vector512<uint> front = Vector512.Create(id);
        Vector512<uint> found = Vector512.Equals(old, front);
        Vector512<uint> rest = Vector512.AndNot(old, found);
        uint holes = (uint)Vector512.Equals(rest, Vector512<uint>.Zero).ExtractMostSignificantBits();
        uint last = (uint)BitOperations.TrailingZeroCount(holes | (1u << 15));
        Vector512<uint> moved = Avx512F.AlignRight32(rest, front, 15);
        Vector512.ConditionalSelect(Vector512.LessThanOrEqual(Vector512<uint>.Indices, Vector512.Create(last)), moved, rest).StoreUnsafe(ref row);
        return BitOperations.TrailingZeroCount((uint)found.ExtractMostSignificantBits() | (1u << 16));
    }
}
