namespace Mmu86.TestKit.HostCpu;

/// <summary>How much of a destination operand is undefined.</summary>
public enum UndefinedDestination
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Bits 63:32 of the register.</summary>
    UpperHalf = 1,

    /// <summary>All of it, register or memory.</summary>
    All = 2,
}
