using System.Numerics;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>What ends a repetition besides the count. Only SCAS and CMPS ask.</summary>
internal enum RepeatCondition
{
    /// <summary>REPE: goes on while ZF=1.</summary>
    WhileEqual,

    /// <summary>REPNE: goes on while ZF=0.</summary>
    WhileNotEqual,
}

/// <summary>What a string instruction does with an element.</summary>
internal unsafe interface IStringOperation
{
    /// <summary>Whether it loads from rSI.</summary>
    static abstract bool HasSource { get; }

    /// <summary>Whether it accesses rDI.</summary>
    static abstract bool HasDestination { get; }

    /// <summary>How it accesses rDI.</summary>
    static abstract AccessKind DestinationKind { get; }

    /// <summary>Whether it sets flags that may end the repetition.</summary>
    static abstract bool Compares { get; }

    /// <summary>Does one element through the MMU: each access is looked up, in the manual's order.</summary>
    /// <returns>False where it faulted; nothing was committed.</returns>
    static abstract bool TryElement<TWidth, TElement>(Vcpu vcpu, ulong source, ulong destination)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>;

    /// <summary>Does elements that lie in RAM, as if one after the other.</summary>
    /// <param name="s">The state.</param>
    /// <param name="source">Backing of the next source element; null where there is no source.</param>
    /// <param name="destination">Backing of the next destination element; null where there is none.</param>
    /// <param name="count">How many at most; at least 1.</param>
    /// <param name="step">Bytes from one element to the next.</param>
    /// <param name="condition">For operations that compare.</param>
    /// <returns>How many were done: fewer than <paramref name="count"/> where the condition ended it.</returns>
    static abstract ulong Run<TWidth, TElement>(CpuState* s, byte* source, byte* destination, ulong count, long step, RepeatCondition condition)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>;
}
