namespace Mmu86.Cpu;

/// <summary>The width of a flat code segment.</summary>
internal enum FlatCode
{
    Bits32,
    Bits64,
}

/// <summary>The segments that SYSCALL, SYSRET, SYSENTER and SYSEXIT load without reading a descriptor. SDM 2, "SYSCALL".</summary>
internal static class FlatSegments
{
    // Type 11 (code, read, accessed), S, P; L or D/B; G. Type 3 (data, write, accessed), S, P; D/B; G. DPL is added.
    private const ushort LongCode = 0xA09B;
    private const ushort Code32 = 0xC09B;
    private const ushort Data = 0xC093;

    /// <summary>A flat code segment.</summary>
    public static SegmentRegister Code(int selector, int cpl, FlatCode width) => new(
        Selectors.WithRpl((ushort)selector, cpl), 0, uint.MaxValue, (ushort)((width == FlatCode.Bits64 ? LongCode : Code32) | (cpl << 5)));

    /// <summary>A flat stack segment.</summary>
    public static SegmentRegister Stack(int selector, int cpl) =>
        new(Selectors.WithRpl((ushort)selector, cpl), 0, uint.MaxValue, (ushort)(Data | (cpl << 5)));

    /// <summary>Loads both and enters the privilege level.</summary>
    public static void Enter(Vcpu vcpu, int codeSelector, int stackSelector, int cpl, FlatCode width, ulong offset)
    {
        vcpu.System.Ss = Stack(stackSelector, cpl);
        CodeSegments.Enter(vcpu, Code(codeSelector, cpl, width), cpl, offset);
    }
}
