using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>A row in one vector of 512 bits.</summary>
internal readonly struct WideRow : IRecencyRow<WideRow>
{
    private readonly Vector512<uint> _front;

    private WideRow(Vector512<uint> front) => _front = front;

    /// <summary>Whether this processor has such vectors and is not slowed by them.</summary>
    public static bool IsSupported => Avx512F.IsSupported && Vector512.IsHardwareAccelerated;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WideRow Of(uint id) => new(Vector512.Create(id));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Touch(ref uint row)
    {
        Vector512<uint> old = Vector512.LoadUnsafe(ref row);
        Vector512<uint> found = Vector512.Equals(old, _front);
        int position = BitOperations.TrailingZeroCount((uint)found.ExtractMostSignificantBits());
        Vector512<uint> rest = Vector512.AndNot(old, found);
        uint holes = (uint)Vector512.Equals(rest, Vector512<uint>.Zero).ExtractMostSignificantBits();
        uint last = (uint)BitOperations.TrailingZeroCount(holes);
        Vector512<uint> moved = Avx512F.AlignRight32(rest, _front, 15);
        Vector512.ConditionalSelect(Vector512.LessThanOrEqual(Vector512<uint>.Indices, Vector512.Create(last)), moved, rest).StoreUnsafe(ref row);
        return position;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SwapFirst(ref uint row) =>
        Vector512.Shuffle(Vector512.LoadUnsafe(ref row), Vector512.Create(1u, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)).StoreUnsafe(ref row);
}
