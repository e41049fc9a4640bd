using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>PUSHF, POPF, LAHF and SAHF.</summary>
internal static class FlagInstructions
{
    // What POPF may change at every privilege level. SDM 2, "POPF/POPFD/POPFQ".
    private const RFlags PoppedAlways = RFlags.Status | RFlags.Trap | RFlags.Direction | RFlags.NestedTask | RFlags.AlignmentCheck | RFlags.Identification;

    private const RFlags LowWord = (RFlags)0xFFFF;

    /// <summary>PUSHF: VM and RF are pushed as zeros. In virtual-8086 mode with IOPL below 3 only the VME's 16-bit form is allowed.</summary>
    public static ManagedOutcome Push(Vcpu vcpu, in Instruction instruction)
    {
        int size = -instruction.StackPointerIncrement;
        bool isBelow = Virtual8086.IsBelowIoPrivilege(vcpu);
        if (isBelow && !HasVirtualInterrupts(vcpu, size))
            return Raise.GeneralProtection(vcpu, 0);
        RFlags flags = isBelow ? Virtual8086.VisibleFlags(vcpu) : vcpu.Registers.Flags;
        ulong stack = StackAccess.Pointer(vcpu);
        if (!StackAccess.TryPush(vcpu, ref stack, size, (ulong)(flags & ~(RFlags.Virtual8086 | RFlags.Resume))))
            return ManagedOutcome.Fault;
        StackAccess.SetPointer(vcpu, stack);
        return ManagedOutcome.Next;
    }

    /// <summary>POPF: IOPL changes at CPL 0 only, IF where CPL is not above IOPL; the 16-bit form leaves the upper flags alone.</summary>
    public static ManagedOutcome Pop(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.StackPointerIncrement;
        bool isBelow = Virtual8086.IsBelowIoPrivilege(vcpu);
        if (isBelow && !HasVirtualInterrupts(vcpu, size))
            return Raise.GeneralProtection(vcpu, 0);
        ulong stack = StackAccess.Pointer(vcpu);
        if (!StackAccess.TryPop(vcpu, ref stack, size, out ulong value))
            return ManagedOutcome.Fault;
        RFlags before = vcpu.Registers.Flags;
        var popped = (RFlags)value;
        if (isBelow)
        {
            if (!Virtual8086.TrySetVisibleFlags(vcpu, popped))
                return ManagedOutcome.Fault;
            StackAccess.SetPointer(vcpu, stack);
            return ManagedOutcome.EndBlock;
        }

        RFlags changeable = PoppedAlways;
        if (vcpu.System.Cpl == 0)
            changeable |= RFlags.IoPrivilege;
        if (vcpu.System.Cpl <= SystemAccess.IoPrivilege(vcpu))
            changeable |= RFlags.InterruptEnable;
        if (size == 2)
            changeable &= LowWord;

        // RF is cleared by every POPF of 32 or 64 bits.
        RFlags kept = before & ~changeable & (size == 2 ? ~RFlags.None : ~RFlags.Resume);
        StackAccess.SetPointer(vcpu, stack);
        vcpu.SetFlags(kept | (popped & changeable));
        return ManagedOutcome.EndBlock;
    }

    /// <summary>LAHF: SF, ZF, AF, PF and CF to AH, bit 1 set.</summary>
    public static ManagedOutcome LoadToAh(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.Mode == ProcessorMode.Long64 && !vcpu.Features.LahfSahf)
            return Raise.InvalidOpcode(vcpu);
        vcpu.Registers.Write(Register.AH, (ulong)vcpu.Registers.Flags & 0xFF);
        return ManagedOutcome.Next;
    }

    /// <summary>SAHF: SF, ZF, AF, PF and CF from AH.</summary>
    public static ManagedOutcome StoreFromAh(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.Mode == ProcessorMode.Long64 && !vcpu.Features.LahfSahf)
            return Raise.InvalidOpcode(vcpu);
        const RFlags Loaded = RFlags.Status & ~RFlags.Overflow;
        var ah = (RFlags)((vcpu.Registers.Rax >> 8) & 0xFF);
        vcpu.Registers.Flags = (vcpu.Registers.Flags & ~Loaded) | (ah & Loaded);
        return ManagedOutcome.Next;
    }

    // SDM 3, "Virtual-8086 Mode Extensions": only 16-bit forms use VIF.
    private static bool HasVirtualInterrupts(Vcpu vcpu, int size) => size == 2 && Virtual8086.HasExtensions(vcpu);
}
