using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>HLT, CLI, STI, CLAC, STAC, RDPKRU, WRPKRU, MONITOR, MWAIT and FWAIT.</summary>
internal static class ProcessorControl
{
    /// <summary>HLT.</summary>
    public static ManagedOutcome Halt(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.RequestedExit = new VmExit { Reason = VmExitReason.Halt };
        return ManagedOutcome.Exit;
    }

    /// <summary>CLI.</summary>
    public static ManagedOutcome ClearInterruptFlag(Vcpu vcpu, in Instruction instruction) =>
        ChangeInterruptFlag(vcpu, RFlags.None);

    /// <summary>STI.</summary>
    public static ManagedOutcome SetInterruptFlag(Vcpu vcpu, in Instruction instruction) =>
        ChangeInterruptFlag(vcpu, RFlags.InterruptEnable);

    /// <summary>CLAC.</summary>
    public static ManagedOutcome ClearAlignmentCheck(Vcpu vcpu, in Instruction instruction) =>
        ChangeAlignmentCheck(vcpu, RFlags.None);

    /// <summary>STAC.</summary>
    public static ManagedOutcome SetAlignmentCheck(Vcpu vcpu, in Instruction instruction) =>
        ChangeAlignmentCheck(vcpu, RFlags.AlignmentCheck);

    /// <summary>RDPKRU: at any privilege level.</summary>
    public static ManagedOutcome ReadKeyRights(Vcpu vcpu, in Instruction instruction)
    {
        if ((vcpu.System.Cr4 & Cr4.ProtectionKeyEnable) == 0)
            return Raise.InvalidOpcode(vcpu);
        if ((uint)vcpu.Registers.Rcx != 0)
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.Registers.Rax = vcpu.System.Pkru;
        vcpu.Registers.Rdx = 0;
        return ManagedOutcome.Next;
    }

    /// <summary>WRPKRU: at any privilege level.</summary>
    public static ManagedOutcome WriteKeyRights(Vcpu vcpu, in Instruction instruction)
    {
        if ((vcpu.System.Cr4 & Cr4.ProtectionKeyEnable) == 0)
            return Raise.InvalidOpcode(vcpu);
        if ((uint)vcpu.Registers.Rcx != 0 || (uint)vcpu.Registers.Rdx != 0)
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.System.Pkru = (uint)vcpu.Registers.Rax;
        vcpu.ContextChanged();
        return ManagedOutcome.EndBlock;
    }

    /// <summary>MONITOR: reads the byte and watches nothing.</summary>
    public static ManagedOutcome Monitor(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Features.Monitor || vcpu.System.Cpl != 0)
            return Raise.InvalidOpcode(vcpu);
        if ((uint)vcpu.Registers.Rcx != 0)
            return Raise.GeneralProtection(vcpu, 0);

        // The address is RAX in DS, or in FS or GS where a prefix says so.
        ulong address = vcpu.Registers.Rax;
        if (instruction.Code == Code.Monitord)
            address = (uint)address;
        else if (instruction.Code == Code.Monitorw)
            address = (ushort)address;
        ulong linear = Operands.Address(vcpu, Operands.PrefixedSegment(instruction), address, 1, AccessKind.Read);
        return vcpu.Data.TryRead(linear, out byte _, instruction.SegmentPrefix == Register.SS) ? ManagedOutcome.Next : ManagedOutcome.Fault;
    }

    /// <summary>MWAIT: may end for any reason, and does at once.</summary>
    public static ManagedOutcome Wait(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Features.Monitor || vcpu.System.Cpl != 0)
            return Raise.InvalidOpcode(vcpu);
        return (uint)vcpu.Registers.Rcx > 1 ? Raise.GeneralProtection(vcpu, 0) : ManagedOutcome.Next;
    }

    /// <summary>FWAIT: #NM where the operating system asked for it; no x87 exception is ever pending.</summary>
    public static ManagedOutcome WaitForCoprocessor(Vcpu vcpu, in Instruction instruction)
    {
        const Cr0 Both = Cr0.MonitorCoprocessor | Cr0.TaskSwitched;
        return (vcpu.System.Cr0 & Both) == Both ? Raise.Exception(vcpu, ExceptionVector.DeviceNotAvailable, 0) : ManagedOutcome.Next;
    }

    private static ManagedOutcome ChangeInterruptFlag(Vcpu vcpu, RFlags value)
    {
        if (vcpu.System.Cpl > SystemAccess.IoPrivilege(vcpu))
            return ChangeVirtualInterruptFlag(vcpu, value);
        if ((value & ~vcpu.Registers.Flags) != 0)
            vcpu.InterruptShadow = InterruptShadow.SetInterrupts;
        vcpu.SetFlags((vcpu.Registers.Flags & ~RFlags.InterruptEnable) | value);
        return ManagedOutcome.EndBlock;
    }

    // Level 3 has a flag of its own with CR4.VME in virtual-8086 mode, with CR4.PVI elsewhere. SDM 2, "CLI" and "STI".
    private static ManagedOutcome ChangeVirtualInterruptFlag(Vcpu vcpu, RFlags value)
    {
        Cr4 extension = vcpu.Mode == ProcessorMode.Virtual8086 ? Cr4.VirtualMode : Cr4.ProtectedModeVirtualInterrupts;
        bool isAllowed = vcpu.System.Cpl == 3 && (vcpu.System.Cr4 & extension) != 0
            && (value == RFlags.None || (vcpu.Registers.Flags & RFlags.VirtualInterruptPending) == 0);
        if (!isAllowed)
            return Raise.GeneralProtection(vcpu, 0);
        RFlags virtualValue = value == RFlags.None ? RFlags.None : RFlags.VirtualInterrupt;
        vcpu.SetFlags((vcpu.Registers.Flags & ~RFlags.VirtualInterrupt) | virtualValue);
        return ManagedOutcome.EndBlock;
    }

    private static ManagedOutcome ChangeAlignmentCheck(Vcpu vcpu, RFlags value)
    {
        // Not #GP: SDM 2, "CLAC".
        if (!vcpu.Features.Smap || vcpu.System.Cpl != 0)
            return Raise.InvalidOpcode(vcpu);
        vcpu.SetFlags((vcpu.Registers.Flags & ~RFlags.AlignmentCheck) | value);
        return ManagedOutcome.EndBlock;
    }
}
