namespace Mmu86.TestKit.Machines;

/// <summary>A gate of the IDT. SDM 3, "64-Bit Mode IDT".</summary>
public sealed record BareGate
{
    /// <summary>Where it leads.</summary>
    public required ulong Handler { get; init; }

    public ushort Selector { get; init; } = BareSelectors.KernelCode;

    /// <summary>14: interrupt gate, 15: trap gate.</summary>
    public int Type { get; init; } = 14;

    public int Dpl { get; init; }

    /// <summary>1 to 7, or 0 for none.</summary>
    public int InterruptStack { get; init; }

    public bool IsPresent { get; init; } = true;

    /// <summary>The first eight bytes.</summary>
    public ulong Low =>
        (Handler & 0xFFFF) | ((ulong)Selector << 16) | ((ulong)InterruptStack << 32) | ((ulong)Type << 40) | ((ulong)Dpl << 45)
        | (IsPresent ? 1UL << 47 : 0) | ((Handler & 0xFFFF_0000) << 32);
}
