using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Which address form a memory operand needs.</summary>
internal enum AddressKind
{
    Base,
    Indexed,
    Segmented,

    /// <summary>Outside 64-bit mode: the segment's window is asked.</summary>
    Checked,
}

/// <summary>One instruction on its way to a micro-op: the selectors fill the op in and count what it accesses.</summary>
internal unsafe ref struct Selection(MicroOp* op, MicroOpDetail* detail, in Instruction instruction, uint offset, CodeMode mode)
{
    public readonly MicroOp* Op = op;
    public readonly MicroOpDetail* Detail = detail;
    public readonly Instruction Instruction = instruction;

    /// <summary>Offset of the instruction in its page.</summary>
    public readonly uint Offset = offset;

    /// <summary>The mode that the instruction was decoded for.</summary>
    public readonly CodeMode Mode = mode;

    public int Loads;
    public int Stores;
    public int ReadModifyWrites;
    public bool IsTerminal;

    /// <summary>For terminals with a fixed target: the target relative to the code page.</summary>
    public long? Taken;

    /// <summary>Whether an operand is a general-purpose register.</summary>
    public readonly bool IsRegister(int operand) => Instruction.GetOpKind(operand) == OpKind.Register;

    /// <summary>Whether an operand is memory with base, index and displacement.</summary>
    public readonly bool IsMemory(int operand) => Instruction.GetOpKind(operand) == OpKind.Memory;

    /// <summary>Offset of a register operand in the state.</summary>
    public readonly byte Register(int operand) => RegisterOffsets.Of(Instruction.GetOpRegister(operand));

    /// <summary>Size of a register operand in bytes.</summary>
    public readonly int RegisterBytes(int operand) => Instruction.GetOpRegister(operand).GetSize();

    /// <summary>Size of the memory operand in bytes.</summary>
    public readonly int MemoryBytes => Instruction.MemorySize.GetSize();

    /// <summary>Size of an operand, register or memory, in bytes.</summary>
    public readonly int OperandBytes(int operand) => IsRegister(operand) ? RegisterBytes(operand) : MemoryBytes;

    /// <summary>Puts the memory operand into the op.</summary>
    public readonly AddressKind Memory() => Mode.IsLong64 ? Memory64() : MemoryWithSegment(Stores != 0);

    /// <summary>Puts the memory operand of an instruction outside 64-bit mode into the op.</summary>
    /// <param name="isWritten">Whether the operand is written.</param>
    public readonly AddressKind MemoryWithSegment(bool isWritten)
    {
        Op->Base = RegisterOffsets.Of(Instruction.MemoryBase);
        Op->Index = RegisterOffsets.Of(Instruction.MemoryIndex);
        Op->Scale = (byte)System.Numerics.BitOperations.Log2((uint)Instruction.MemoryIndexScale);
        Op->Displacement = (int)Instruction.MemoryDisplacement32;
        bool isWide = !Operands.Is16BitAddress(Instruction);
        int segment = RegisterOffsets.SegmentNumber(Instruction.MemorySegment);
        if (segment == SegmentWindows.Ss)
            Detail->Flags |= MicroOpFlags.StackReference;
        if (Mode.IsFlat && isWide && segment is SegmentWindows.Ds or SegmentWindows.Ss or SegmentWindows.Es)
        {
            Op->Segment = CpuState.ZeroRegister;
            Op->Address32 = 1;
            return AddressKind.Segmented;
        }

        Op->Segment = (byte)segment;
        Op->Address32 = CheckedAddress.Encode(isWide, isWritten, MemoryBytes);
        return AddressKind.Checked;
    }

    private readonly AddressKind Memory64()
    {
        Op->Base = RegisterOffsets.Of(Instruction.MemoryBase);
        Op->Index = RegisterOffsets.Of(Instruction.MemoryIndex);
        Op->Scale = (byte)System.Numerics.BitOperations.Log2((uint)Instruction.MemoryIndexScale);
        Op->Segment = RegisterOffsets.OfSegment(Instruction.MemorySegment);
        long displacement = (long)Instruction.MemoryDisplacement64;
        bool indexed = Instruction.MemoryIndex != Iced.Intel.Register.None;
        if (Instruction.IsIPRelativeMemoryOperand)
        {
            // Iced gives the target: page offset + length + displacement, which may need one bit more than the encoding.
            displacement = (long)Instruction.IPRelativeMemoryAddress;
            if (Instruction.MemoryBase == Iced.Intel.Register.EIP)
                displacement = (int)displacement;
            if (displacement > int.MaxValue)
            {
                Op->Index = CpuState.FarBiasRegister;
                displacement -= (long)CpuState.FarBias;
                indexed = true;
            }
        }

        Op->Displacement = (int)displacement;
        if (IsStackReference)
            Detail->Flags |= MicroOpFlags.StackReference;

        // 32-bit addressing: 0x67 with any base or index of 32 bits, or a bare 32-bit displacement.
        bool address32 = Instruction.MemoryBase.GetSize() == 4 || Instruction.MemoryIndex.GetSize() == 4
            || (Instruction.MemoryBase == Iced.Intel.Register.None && !indexed && Instruction.MemoryDisplSize == 4);
        Op->Address32 = address32 ? (byte)1 : (byte)0;
        if (address32 || Op->Segment != CpuState.ZeroRegister)
            return AddressKind.Segmented;
        return indexed ? AddressKind.Indexed : AddressKind.Base;
    }

    // The base register chooses SS. Prefixes for ES, CS, SS and DS are ignored in 64-bit mode; for FS and GS they are not.
    private readonly bool IsStackReference =>
        Instruction.MemoryBase is Iced.Intel.Register.RSP or Iced.Intel.Register.RBP or Iced.Intel.Register.ESP or Iced.Intel.Register.EBP
        && Instruction.SegmentPrefix is not (Iced.Intel.Register.FS or Iced.Intel.Register.GS);

    /// <summary>The immediate operand, sign-extended to 64 bits.</summary>
    public readonly ulong Immediate(int operand) => Instruction.GetImmediate(operand);
}
