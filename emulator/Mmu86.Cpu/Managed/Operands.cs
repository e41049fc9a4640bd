using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Operands of managed instructions: where they are, loads and stores of them.</summary>
internal static unsafe class Operands
{
    /// <summary>The linear address of a memory operand that is read. SDM 1, "Specifying an Offset".</summary>
    /// <returns>The address; <see cref="Segmentation.Refused"/> where the segment refuses the access, which then faults.</returns>
    public static ulong Address(Vcpu vcpu, in Instruction instruction) => Address(vcpu, instruction, AccessKind.Read);

    /// <summary>As <see cref="Address(Vcpu, in Instruction)"/>, for either kind of access. A read-modify-write is a write.</summary>
    public static ulong Address(Vcpu vcpu, in Instruction instruction, AccessKind kind) =>
        Address(vcpu, instruction.MemorySegment, EffectiveAddress(vcpu, instruction), instruction.MemorySize.GetSize(), kind);

    /// <summary>The linear address of any offset in a segment.</summary>
    public static ulong Address(Vcpu vcpu, Register segment, ulong offset, int size, AccessKind kind) =>
        Segmentation.Linear(vcpu.State, RegisterOffsets.SegmentNumber(segment), offset, (uint)size, kind);

    /// <summary>The linear address that CLFLUSH and its kin name: as of a byte that is read, but in execute-only segments too. SDM 2, "CLFLUSH".</summary>
    public static ulong CacheLineAddress(Vcpu vcpu, in Instruction instruction)
    {
        CpuState* s = vcpu.State;
        if (vcpu.Mode == ProcessorMode.Long64 || instruction.MemorySegment != Register.CS)
            return Address(vcpu, instruction);
        ulong offset = EffectiveAddress(vcpu, instruction);
        return offset > s->CodeLimit ? Segmentation.Refused : (s->CodeBase + offset) & ~s->AbsentAddressBits;
    }

    /// <summary>The segment of an implied memory operand: that of a prefix, or DS.</summary>
    public static Register PrefixedSegment(in Instruction instruction) =>
        instruction.SegmentPrefix == Register.None ? Register.DS : instruction.SegmentPrefix;

    /// <summary>The offset of the memory operand in its segment, as wide as the address size.</summary>
    public static ulong EffectiveAddress(Vcpu vcpu, in Instruction instruction)
    {
        ulong offset;
        if (instruction.IsIPRelativeMemoryOperand)
        {
            // Decoded with RIP = page offset, so the target is relative to the code page.
            offset = instruction.IPRelativeMemoryAddress + Registers.Read(vcpu.State, CpuState.CodePageRegister);
        }
        else
        {
            offset = instruction.MemoryDisplacement64;
            if (instruction.MemoryBase != Register.None)
                offset += vcpu.Registers.Read(instruction.MemoryBase);
            if (instruction.MemoryIndex != Register.None)
                offset += vcpu.Registers.Read(instruction.MemoryIndex) * (ulong)instruction.MemoryIndexScale;
        }

        return Truncate(instruction, offset);
    }

    /// <summary>An offset wrapped at the address size of the memory operand.</summary>
    public static ulong Truncate(in Instruction instruction, ulong offset) =>
        Is16BitAddress(instruction) ? (ushort)offset : Is32BitAddress(instruction) ? (uint)offset : offset;

    /// <summary>Whether the memory operand is addressed with 32 bits.</summary>
    public static bool Is32BitAddress(in Instruction instruction) =>
        instruction.MemoryBase.GetSize() == 4 || instruction.MemoryIndex.GetSize() == 4
        || (instruction.MemoryBase == Register.None && instruction.MemoryIndex == Register.None && instruction.MemoryDisplSize == 4);

    /// <summary>Whether the memory operand is addressed with 16 bits.</summary>
    public static bool Is16BitAddress(in Instruction instruction) =>
        instruction.MemoryBase.GetSize() == 2 || instruction.MemoryIndex.GetSize() == 2
        || (instruction.MemoryBase == Register.None && instruction.MemoryIndex == Register.None && instruction.MemoryDisplSize == 2);

    /// <summary>Whether the memory operand is a stack reference: in SS, or in 64-bit mode by its base register unless FS or GS override it.</summary>
    public static bool IsStackReference(in Instruction instruction) => instruction.CodeSize == CodeSize.Code64
        ? instruction.MemoryBase is Register.RSP or Register.RBP or Register.ESP or Register.EBP
            && instruction.SegmentPrefix is not (Register.FS or Register.GS)
        : instruction.MemorySegment == Register.SS;

    /// <summary>What a refused or non-canonical address of the memory operand raises.</summary>
    public static ExceptionVector NonCanonicalVector(in Instruction instruction) =>
        IsStackReference(instruction) ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection;

    /// <summary>Reads a register or memory operand of 1, 2, 4 or 8 bytes, zero-extended.</summary>
    /// <returns>False where the load faulted.</returns>
    public static bool TryRead(Vcpu vcpu, in Instruction instruction, int operand, out ulong value)
    {
        if (instruction.GetOpKind(operand) == OpKind.Register)
        {
            value = vcpu.Registers.Read(instruction.GetOpRegister(operand));
            return true;
        }

        return TryLoad(vcpu, Address(vcpu, instruction), instruction.MemorySize.GetSize(), IsStackReference(instruction), out value);
    }

    /// <summary>Writes a register or memory operand. The last thing that can fault.</summary>
    /// <returns>False where the store faulted.</returns>
    public static bool TryWrite(Vcpu vcpu, in Instruction instruction, int operand, ulong value)
    {
        if (instruction.GetOpKind(operand) == OpKind.Register)
        {
            vcpu.Registers.Write(instruction.GetOpRegister(operand), value);
            return true;
        }

        return TryStore(vcpu, Address(vcpu, instruction, AccessKind.Write), instruction.MemorySize.GetSize(), IsStackReference(instruction), value);
    }

    /// <summary>Loads 1, 2, 4 or 8 bytes, zero-extended.</summary>
    public static bool TryLoad(Vcpu vcpu, ulong address, int size, bool isStack, out ulong value)
    {
        switch (size)
        {
            case 1:
                bool isByteRead = vcpu.Data.TryRead(address, out byte narrow, isStack);
                value = narrow;
                return isByteRead;
            case 2:
                bool isWordRead = vcpu.Data.TryRead(address, out ushort word, isStack);
                value = word;
                return isWordRead;
            case 4:
                bool isDoublewordRead = vcpu.Data.TryRead(address, out uint doubleword, isStack);
                value = doubleword;
                return isDoublewordRead;
            default:
                return vcpu.Data.TryRead(address, out value, isStack);
        }
    }

    /// <summary>Stores the low 1, 2, 4 or 8 bytes of a value.</summary>
    public static bool TryStore(Vcpu vcpu, ulong address, int size, bool isStack, ulong value) => size switch
    {
        1 => vcpu.Data.TryWrite(address, (byte)value, isStack),
        2 => vcpu.Data.TryWrite(address, (ushort)value, isStack),
        4 => vcpu.Data.TryWrite(address, (uint)value, isStack),
        _ => vcpu.Data.TryWrite(address, value, isStack),
    };
}
