using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>One of the sixteen conditions of Jcc, SETcc and CMOVcc.</summary>
internal interface ICondition
{
    /// <summary>From the lazy flags.</summary>
    static abstract bool Holds(ulong result, ulong carry, ulong aux);

    /// <summary>Straight from the operands of a comparison of sign-extended values, where that is shorter.</summary>
    /// <param name="a">First operand of CMP, sign-extended.</param>
    /// <param name="b">Second operand, sign-extended.</param>
    /// <param name="result">The flag words that the comparison set.</param>
    /// <param name="carry">As above.</param>
    /// <param name="aux">As above.</param>
    static abstract bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux);
}

internal readonly struct IfOverflow : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ulong result, ulong carry, ulong aux) => LazyFlags.Overflow(carry);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux) => LazyFlags.Overflow(carry);
}

internal readonly struct IfBelow : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ulong result, ulong carry, ulong aux) => LazyFlags.Carry(carry);

    // Sign extension keeps the unsigned order of narrower operands.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux) => a < b;
}

internal readonly struct IfEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ulong result, ulong carry, ulong aux) => result == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux) => a == b;
}

internal readonly struct IfBelowOrEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ulong result, ulong carry, ulong aux) => LazyFlags.Carry(carry) || result == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux) => a <= b;
}

internal readonly struct IfSign : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ulong result, ulong carry, ulong aux) => LazyFlags.Sign(result, aux);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux) => (long)result < 0;
}

internal readonly struct IfParity : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ulong result, ulong carry, ulong aux) => LazyFlags.Parity(result, aux);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux) => LazyFlags.Parity(result, aux);
}

internal readonly struct IfLess : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ulong result, ulong carry, ulong aux) => LazyFlags.Less(result, carry, aux);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux) => (long)a < (long)b;
}

internal readonly struct IfLessOrEqual : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ulong result, ulong carry, ulong aux) => LazyFlags.Less(result, carry, aux) || result == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux) => (long)a <= (long)b;
}

/// <summary>The opposite of a condition: the manual's odd condition codes.</summary>
internal readonly struct Unless<TCondition> : ICondition
    where TCondition : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ulong result, ulong carry, ulong aux) => !TCondition.Holds(result, carry, aux);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool HoldsForCompare(ulong a, ulong b, ulong result, ulong carry, ulong aux) =>
        !TCondition.HoldsForCompare(a, b, result, carry, aux);
}
