using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Loads and stores of segment registers and of the bases of FS and GS.</summary>
internal static class SegmentInstructions
{
    /// <summary>MOV Sreg, r/m16 and MOV r/m, Sreg.</summary>
    public static ManagedOutcome Move(Vcpu vcpu, in Instruction instruction)
    {
        if (!instruction.Op0Register.IsSegmentRegister())
        {
            ushort selector = SegmentRegisters.Get(vcpu.System, instruction.Op1Register).Selector;
            return Operands.TryWrite(vcpu, instruction, 0, selector) ? ManagedOutcome.Next : ManagedOutcome.Fault;
        }

        Register target = instruction.Op0Register;
        if (target == Register.CS)
            return Raise.InvalidOpcode(vcpu);
        if (!Operands.TryRead(vcpu, instruction, 1, out ulong value) || !SegmentRegisters.TryLoad(vcpu, target, (ushort)value))
            return ManagedOutcome.Fault;

        return AfterLoad(vcpu, target);
    }

    /// <summary>PUSH of a segment register.</summary>
    public static ManagedOutcome Push(Vcpu vcpu, in Instruction instruction)
    {
        int size = -instruction.StackPointerIncrement;
        ulong stack = StackAccess.Pointer(vcpu);
        ushort selector = SegmentRegisters.Get(vcpu.System, instruction.Op0Register).Selector;

        // With 32-bit operands Intel's processors store no more than the selector. SDM 2, "PUSH".
        stack = StackAccess.Down(vcpu, stack, size);
        if (!StackAccess.TryStore(vcpu, stack, size == 4 ? 2 : size, selector))
            return ManagedOutcome.Fault;
        StackAccess.SetPointer(vcpu, stack);
        return ManagedOutcome.Next;
    }

    /// <summary>POP of a segment register: the stack pointer moves in the stack segment that was.</summary>
    public static ManagedOutcome Pop(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.StackPointerIncrement;
        ulong stack = StackAccess.Pointer(vcpu);
        ulong before = vcpu.Registers.Rsp;
        if (!StackAccess.TryPop(vcpu, ref stack, size, out ulong value))
            return ManagedOutcome.Fault;
        StackAccess.SetPointer(vcpu, stack);
        if (SegmentRegisters.TryLoad(vcpu, instruction.Op0Register, (ushort)value))
            return AfterLoad(vcpu, instruction.Op0Register);
        vcpu.Registers.Rsp = before;
        return ManagedOutcome.Fault;
    }

    /// <summary>LDS, LES, LFS, LGS and LSS: a far pointer from memory.</summary>
    public static ManagedOutcome LoadFarPointer(Vcpu vcpu, in Instruction instruction)
    {
        Register target = instruction.Mnemonic switch
        {
            Mnemonic.Lds => Register.DS,
            Mnemonic.Les => Register.ES,
            Mnemonic.Lfs => Register.FS,
            Mnemonic.Lgs => Register.GS,
            _ => Register.SS,
        };
        if (!FarPointer.TryRead(vcpu, instruction, out FarPointer pointer) || !SegmentRegisters.TryLoad(vcpu, target, pointer.Selector))
            return ManagedOutcome.Fault;
        vcpu.Registers.Write(instruction.Op0Register, pointer.Offset);
        return ManagedOutcome.Next;
    }

    /// <summary>RDFSBASE and RDGSBASE.</summary>
    public static ManagedOutcome ReadBase(Vcpu vcpu, in Instruction instruction)
    {
        if ((vcpu.System.Cr4 & Cr4.FsGsBase) == 0)
            return Raise.InvalidOpcode(vcpu);
        vcpu.Registers.Write(instruction.Op0Register, instruction.Mnemonic == Mnemonic.Rdfsbase ? vcpu.Registers.FsBase : vcpu.Registers.GsBase);
        return ManagedOutcome.Next;
    }

    /// <summary>WRFSBASE and WRGSBASE.</summary>
    public static ManagedOutcome WriteBase(Vcpu vcpu, in Instruction instruction)
    {
        if ((vcpu.System.Cr4 & Cr4.FsGsBase) == 0)
            return Raise.InvalidOpcode(vcpu);
        ulong value = vcpu.Registers.Read(instruction.Op0Register);
        if (!Canonical.Is(value, vcpu.Features.LinearAddressBits))
            return Raise.GeneralProtection(vcpu, 0);
        if (instruction.Mnemonic == Mnemonic.Wrfsbase)
            vcpu.Registers.FsBase = value;
        else
            vcpu.Registers.GsBase = value;
        return ManagedOutcome.Next;
    }

    // No trap and no interrupt between a load of SS and the load of RSP that follows it.
    private static ManagedOutcome AfterLoad(Vcpu vcpu, Register target)
    {
        if (target != Register.SS)
            return ManagedOutcome.Next;
        vcpu.InterruptShadow = InterruptShadow.StackSegment;
        return ManagedOutcome.EndBlock;
    }
}
