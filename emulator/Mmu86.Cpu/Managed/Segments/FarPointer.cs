using System.Runtime.InteropServices;
using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>A selector and an offset, as ptr16:16 and ptr16:32 and memory operands m16:16, m16:32 and m16:64 hold them.</summary>
internal readonly record struct FarPointer(ushort Selector, ulong Offset)
{
    /// <summary>The size of the offset, in bytes.</summary>
    public static int OffsetBytes(in Instruction instruction) => instruction.Op0Kind switch
    {
        OpKind.FarBranch16 => 2,
        OpKind.FarBranch32 => 4,
        _ => instruction.MemorySize switch
        {
            MemorySize.SegPtr16 => 2,
            MemorySize.SegPtr32 => 4,
            _ => 8,
        },
    };

    /// <summary>The immediate pointer, or the memory operand: one access, for which both parts lie side by side.</summary>
    public static bool TryRead(Vcpu vcpu, in Instruction instruction, out FarPointer pointer)
    {
        switch (instruction.Op0Kind)
        {
            case OpKind.FarBranch16:
                pointer = new FarPointer(instruction.FarBranchSelector, instruction.FarBranch16);
                return true;
            case OpKind.FarBranch32:
                pointer = new FarPointer(instruction.FarBranchSelector, instruction.FarBranch32);
                return true;
            default:
                break;
        }

        ulong address = Operands.Address(vcpu, instruction);
        bool isStack = Operands.IsStackReference(instruction);
        switch (OffsetBytes(instruction))
        {
            case 2:
                bool isRead16 = vcpu.Data.TryRead(address, out uint narrow, isStack);
                pointer = new FarPointer((ushort)(narrow >> 16), (ushort)narrow);
                return isRead16;
            case 4:
                bool isRead32 = vcpu.Data.TryRead(address, out Pointer32 wide, isStack);
                pointer = new FarPointer(wide.Selector, wide.Offset);
                return isRead32;
            default:
                bool isRead64 = vcpu.Data.TryRead(address, out Pointer64 wider, isStack);
                pointer = new FarPointer(wider.Selector, wider.Offset);
                return isRead64;
        }
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly struct Pointer32
    {
        public readonly uint Offset;
        public readonly ushort Selector;
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly struct Pointer64
    {
        public readonly ulong Offset;
        public readonly ushort Selector;
    }
}
