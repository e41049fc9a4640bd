using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>The address size of string instructions: how much of rSI, rDI and rCX they use.</summary>
internal static unsafe class StringAddress
{
    /// <summary>The bits of the pointers and of the count: 64, 32 or 16.</summary>
    public static ulong Mask(in Instruction instruction) =>
        Math.Min(Mask(instruction.Op0Kind), Mask(instruction.Op1Kind));

    /// <summary>Puts a pointer or the count back: 32 bits clear the upper half of the register, 16 leave the rest alone.</summary>
    public static void Save(CpuState* s, byte register, ulong mask, ulong value)
    {
        ulong* target = Registers.Pointer(s, register);
        *target = mask == ushort.MaxValue ? (*target & ~mask) | (value & mask) : value & mask;
    }

    private static ulong Mask(OpKind kind) => kind switch
    {
        OpKind.MemorySegESI or OpKind.MemoryESEDI => uint.MaxValue,
        OpKind.MemorySegSI or OpKind.MemoryESDI => ushort.MaxValue,
        _ => ulong.MaxValue,
    };
}
