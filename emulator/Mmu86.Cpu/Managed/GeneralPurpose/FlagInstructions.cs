using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>PUSHF, POPF, LAHF and SAHF.</summary>
internal static class FlagInstructions
{
    // What POPF may change at every privilege level. SDM 2, "POPF/POPFD/POPFQ".
    private const RFlags PoppedAlways = RFlags.Status | RFlags.Trap | RFlags.Direction | RFlags.NestedTask | RFlags.AlignmentCheck | RFlags.Identification;

    private const RFlags LowWord = (RFlags)0xFFFF;

    /// <summary>PUSHF: VM and RF are pushed as zeros.</summary>
    public static ManagedOutcome Push(Vcpu vcpu, in Instruction instruction)
    {
        int size = -instruction.StackPointerIncrement;
        ulong stack = vcpu.Registers.Rsp - (ulong)size;
        var flags = (ulong)(vcpu.Registers.Flags & ~(RFlags.Virtual8086 | RFlags.Resume));
        if (!Operands.TryStore(vcpu, stack, size, isStack: true, flags))
            return ManagedOutcome.Fault;
        vcpu.Registers.Rsp = stack;
        return ManagedOutcome.Next;
    }

    /// <summary>POPF: IOPL changes at CPL 0 only, IF where CPL is not above IOPL; the 16-bit form leaves the upper flags alone.</summary>
    public static ManagedOutcome Pop(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.StackPointerIncrement;
        if (!Operands.TryLoad(vcpu, vcpu.Registers.Rsp, size, isStack: true, out ulong popped))
            return ManagedOutcome.Fault;
        RFlags changeable = PoppedAlways;
        if (vcpu.System.Cpl == 0)
            changeable |= RFlags.IoPrivilege;
        if (vcpu.System.Cpl <= SystemAccess.IoPrivilege(vcpu))
            changeable |= RFlags.InterruptEnable;
        if (size == 2)
            changeable &= LowWord;
        RFlags before = vcpu.Registers.Flags;

        // RF is cleared by every POPF of 32 or 64 bits.
        RFlags kept = before & ~changeable & (size == 2 ? ~RFlags.None : ~RFlags.Resume);
        vcpu.Registers.Rsp += (ulong)size;
        vcpu.SetFlags(kept | ((RFlags)popped & changeable));
        return ManagedOutcome.EndBlock;
    }

    /// <summary>LAHF: SF, ZF, AF, PF and CF to AH, bit 1 set.</summary>
    public static ManagedOutcome LoadToAh(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Features.LahfSahf)
            return Raise.InvalidOpcode(vcpu);
        vcpu.Registers.Write(Register.AH, (ulong)vcpu.Registers.Flags & 0xFF);
        return ManagedOutcome.Next;
    }

    /// <summary>SAHF: SF, ZF, AF, PF and CF from AH.</summary>
    public static ManagedOutcome StoreFromAh(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Features.LahfSahf)
            return Raise.InvalidOpcode(vcpu);
        const RFlags Loaded = RFlags.Status & ~RFlags.Overflow;
        var ah = (RFlags)((vcpu.Registers.Rax >> 8) & 0xFF);
        vcpu.Registers.Flags = (vcpu.Registers.Flags & ~Loaded) | (ah & Loaded);
        return ManagedOutcome.Next;
    }
}
