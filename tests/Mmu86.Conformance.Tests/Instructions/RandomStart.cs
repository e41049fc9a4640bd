namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>In which mode a program of random bytes begins. It may leave it: whatever it needs for that lies within its reach.</summary>
public enum RandomStart
{
    /// <summary>64-bit mode, ring 0.</summary>
    Long0,

    /// <summary>64-bit mode, ring 3.</summary>
    Long3,

    /// <summary>Real-address mode.</summary>
    Real,

    /// <summary>Virtual-8086 mode.</summary>
    Virtual8086,

    /// <summary>32-bit protected mode, ring 0.</summary>
    Protected0,

    /// <summary>32-bit protected mode, ring 3.</summary>
    Protected3,

    /// <summary>16-bit protected mode, ring 0, segments that end.</summary>
    Narrow0,
}
