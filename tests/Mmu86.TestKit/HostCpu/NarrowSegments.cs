using Mmu86.Cpu;

namespace Mmu86.TestKit.HostCpu;

/// <summary>The segments of 16- and 32-bit cases: Linux's flat ones, and those that host-cpu.c puts into the LDT.</summary>
public static class NarrowSegments
{
    /// <summary>Linux's flat 32-bit code.</summary>
    public const ushort FlatCode = 0x23;

    /// <summary>Linux's flat data.</summary>
    public const ushort FlatData = 0x2B;

    public const ushort Code16 = 0x07;
    public const ushort ExecuteOnly = 0x0F;
    public const ushort Data = 0x17;
    public const ushort ExpandDown32 = 0x1F;
    public const ushort ExpandDown16 = 0x27;
    public const ushort ReadOnly = 0x2F;
    public const ushort Stack16 = 0x37;

    // Type (accessed), S, DPL 3, P; D/B and G above.
    private const ushort CodeRead = 0x00FB;
    private const ushort CodeOnly = 0x00F9;
    private const ushort DataWrite = 0x00F3;
    private const ushort DataDown = 0x00F7;
    private const ushort DataRead = 0x00F1;
    private const ushort Big = 0x4000;
    private const ushort Flat = 0xC000;

    /// <summary>A segment register as the processor has it after loading a selector.</summary>
    public static SegmentRegister Of(ushort selector) => selector switch
    {
        FlatCode => new SegmentRegister(selector, 0, uint.MaxValue, CodeRead | Flat),
        FlatData => new SegmentRegister(selector, 0, uint.MaxValue, DataWrite | Flat),
        Code16 => new SegmentRegister(selector, ScratchMemory.CodeStart, 0x1FFF, CodeRead),
        ExecuteOnly => new SegmentRegister(selector, ScratchMemory.CodeStart, 0x1FFF, CodeOnly | Big),
        Data => new SegmentRegister(selector, ScratchMemory.DataStart, 0x2FFF, DataWrite | Big),
        ExpandDown32 => new SegmentRegister(selector, ScratchMemory.DataStart, 0xFFF, DataDown | Big),
        ExpandDown16 => new SegmentRegister(selector, ScratchMemory.DataStart, 0xFFF, DataDown),
        ReadOnly => new SegmentRegister(selector, ScratchMemory.DataStart, 0x1FFF, DataRead | Big),
        Stack16 => new SegmentRegister(selector, ScratchMemory.DataStart, 0x2FFF, DataWrite),
        0 => default,
        _ => throw new ArgumentOutOfRangeException(nameof(selector), selector, "No segment of the cases."),
    };

    /// <summary>16 or 32.</summary>
    public static int CodeBits(ushort selector) => Of(selector).Big ? 32 : 16;
}
