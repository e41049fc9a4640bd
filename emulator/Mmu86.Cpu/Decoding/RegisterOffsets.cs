using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Byte offsets of registers in <see cref="CpuState"/>.</summary>
internal static class RegisterOffsets
{
    /// <summary>Offset of a general-purpose register of any size; the zero register for none; the code page for RIP.</summary>
    public static byte Of(Register register) => register switch
    {
        Register.None => CpuState.ZeroRegister,
        Register.RIP or Register.EIP => CpuState.CodePageRegister,
        >= Register.AL and <= Register.BL => (byte)((register - Register.AL) * 8),
        >= Register.AH and <= Register.BH => (byte)(((register - Register.AH) * 8) + 1),
        >= Register.SPL and <= Register.R15L => (byte)((register - Register.SPL + 4) * 8),
        >= Register.AX and <= Register.R15W => (byte)((register - Register.AX) * 8),
        >= Register.EAX and <= Register.R15D => (byte)((register - Register.EAX) * 8),
        >= Register.RAX and <= Register.R15 => (byte)((register - Register.RAX) * 8),
        _ => throw new ArgumentOutOfRangeException(nameof(register), register, "Not a general-purpose register."),
    };

    /// <summary>A segment register as instructions encode it: the index in <see cref="SegmentWindows"/>.</summary>
    public static int SegmentNumber(Register segment) => segment - Register.ES;

    /// <summary>Offset of the base of a segment of 64-bit mode: FS and GS; the zero register for the flat ones.</summary>
    public static byte OfSegment(Register segment) => segment switch
    {
        Register.FS => CpuState.FsBaseRegister,
        Register.GS => CpuState.GsBaseRegister,
        _ => CpuState.ZeroRegister,
    };
}
