using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>A row in two vectors of 256 bits.</summary>
internal readonly struct HalvedRow : IRecencyRow<HalvedRow>
{
    private const int Lanes = 8;

    private readonly Vector256<uint> _front;

    private HalvedRow(Vector256<uint> front) => _front = front;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HalvedRow Of(uint id) => new(Vector256.Create(id));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Touch(ref uint row)
    {
        Vector256<uint> low = Vector256.LoadUnsafe(ref row);
        Vector256<uint> high = Vector256.LoadUnsafe(ref row, Lanes);
        Vector256<uint> foundLow = Vector256.Equals(low, _front);
        Vector256<uint> foundHigh = Vector256.Equals(high, _front);
        low = Vector256.AndNot(low, foundLow);
        high = Vector256.AndNot(high, foundHigh);
        uint holes = Vector256.Equals(low, Vector256<uint>.Zero).ExtractMostSignificantBits()
            | (Vector256.Equals(high, Vector256<uint>.Zero).ExtractMostSignificantBits() << Lanes);
        Vector256<int> last = Vector256.Create(BitOperations.TrailingZeroCount(holes));

        // Each half turned by one; the lane that wraps belongs to the next half.
        Vector256<uint> turnedLow = Vector256.Shuffle(low, Vector256.Create(7u, 0, 1, 2, 3, 4, 5, 6));
        Vector256<uint> turnedHigh = Vector256.Shuffle(high, Vector256.Create(7u, 0, 1, 2, 3, 4, 5, 6));
        Vector256<uint> first = Vector256.Create(uint.MaxValue, 0, 0, 0, 0, 0, 0, 0);
        Vector256<uint> movedLow = Vector256.ConditionalSelect(first, _front, turnedLow);
        Vector256<uint> movedHigh = Vector256.ConditionalSelect(first, turnedLow, turnedHigh);
        Vector256<int> lanes = Vector256<int>.Indices;
        Vector256.ConditionalSelect(Vector256.GreaterThan(lanes, last).AsUInt32(), low, movedLow).StoreUnsafe(ref row);
        Vector256.ConditionalSelect(Vector256.GreaterThan(lanes + Vector256.Create(Lanes), last).AsUInt32(), high, movedHigh)
            .StoreUnsafe(ref row, Lanes);
        return BitOperations.TrailingZeroCount(
            foundLow.ExtractMostSignificantBits() | (foundHigh.ExtractMostSignificantBits() << Lanes));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SwapFirst(ref uint row) =>
        Vector256.Shuffle(Vector256.LoadUnsafe(ref row), Vector256.Create(1u, 0, 2, 3, 4, 5, 6, 7)).StoreUnsafe(ref row);
}
