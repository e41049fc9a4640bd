using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>SYSCALL, SYSRET, SYSENTER, SYSEXIT and SWAPGS.</summary>
internal static class SystemCalls
{
    // What SYSRET takes from R11: all but RF and VM and what is reserved.
    private const ulong FlagsRestored = 0x3C_7FD7;

    /// <summary>SYSCALL.</summary>
    public static ManagedOutcome Syscall(Vcpu vcpu, in Instruction instruction)
    {
        SystemState system = vcpu.System;
        if ((system.Efer & Efer.SyscallEnable) == 0 || vcpu.Mode != ProcessorMode.Long64)
            return Raise.InvalidOpcode(vcpu);
        RFlags flags = vcpu.Registers.Flags;
        vcpu.Registers.Rcx = vcpu.Registers.Rip + (ulong)instruction.Length;
        vcpu.Registers[11] = (ulong)flags;
        if (vcpu.Configuration.InterceptSyscalls)
        {
            vcpu.RequestedExit = new VmExit { Reason = VmExitReason.Syscall };
            return ManagedOutcome.Exit;
        }

        vcpu.SetFlags(flags & ~(RFlags)system.SyscallMask);
        int selector = (int)(system.Star >> 32) & 0xFFFC;
        FlatSegments.Enter(vcpu, selector, selector + 8, 0, FlatCode.Bits64, system.Lstar);

        // The trap behind SYSCALL depends on TF as the mask left it.
        vcpu.InhibitsSingleStep = (vcpu.Registers.Flags & RFlags.Trap) == 0;
        return ManagedOutcome.Branch;
    }

    /// <summary>SYSRET, to 64-bit mode with a 64-bit operand, else to compatibility mode.</summary>
    public static ManagedOutcome Sysret(Vcpu vcpu, in Instruction instruction)
    {
        SystemState system = vcpu.System;
        if ((system.Efer & Efer.SyscallEnable) == 0 || vcpu.Mode != ProcessorMode.Long64)
            return Raise.InvalidOpcode(vcpu);
        if (system.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        bool isWide = instruction.Code == Code.Sysretq;
        ulong target = isWide ? vcpu.Registers.Rcx : (uint)vcpu.Registers.Rcx;
        if (!vcpu.IsCanonical(target))
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.SetFlags((RFlags)(vcpu.Registers[11] & FlagsRestored));
        int selector = (int)(system.Star >> 48);
        FlatSegments.Enter(vcpu, isWide ? selector + 16 : selector, selector + 8, 3, isWide ? FlatCode.Bits64 : FlatCode.Bits32, target);
        return ManagedOutcome.Branch;
    }

    /// <summary>SYSENTER.</summary>
    public static ManagedOutcome Sysenter(Vcpu vcpu, in Instruction instruction)
    {
        SystemState system = vcpu.System;
        if (!vcpu.Features.SysenterSysexit)
            return Raise.InvalidOpcode(vcpu);
        if (vcpu.Mode == ProcessorMode.Real || Selectors.IsNull((ushort)system.SysenterCs))
            return Raise.GeneralProtection(vcpu, 0);
        bool isWide = vcpu.Mode.IsLong();
        vcpu.ClearSystemFlags(RFlags.InterruptEnable | RFlags.Virtual8086);
        vcpu.Registers.Rsp = isWide ? system.SysenterEsp : (uint)system.SysenterEsp;
        int selector = (int)system.SysenterCs & 0xFFFC;
        FlatSegments.Enter(
            vcpu, selector, selector + 8, 0, isWide ? FlatCode.Bits64 : FlatCode.Bits32, isWide ? system.SysenterEip : (uint)system.SysenterEip);
        return ManagedOutcome.Branch;
    }

    /// <summary>SYSEXIT, to 64-bit mode with a 64-bit operand, else to 32-bit code.</summary>
    public static ManagedOutcome Sysexit(Vcpu vcpu, in Instruction instruction)
    {
        SystemState system = vcpu.System;
        if (!vcpu.Features.SysenterSysexit)
            return Raise.InvalidOpcode(vcpu);
        if (vcpu.Mode == ProcessorMode.Real || system.Cpl != 0 || Selectors.IsNull((ushort)system.SysenterCs))
            return Raise.GeneralProtection(vcpu, 0);
        bool isWide = instruction.Code == Code.Sysexitq;
        ulong stack = isWide ? vcpu.Registers.Rcx : (uint)vcpu.Registers.Rcx;
        ulong target = isWide ? vcpu.Registers.Rdx : (uint)vcpu.Registers.Rdx;
        if (!vcpu.IsCanonical(stack) || !vcpu.IsCanonical(target))
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.Registers.Rsp = stack;

        // The segments of the system call lie in a row: level 0, then 32-bit level 3, then 64-bit level 3.
        int selector = ((int)system.SysenterCs & 0xFFFC) + (isWide ? 32 : 16);
        FlatSegments.Enter(vcpu, selector, selector + 8, 3, isWide ? FlatCode.Bits64 : FlatCode.Bits32, target);
        return ManagedOutcome.Branch;
    }

    /// <summary>SWAPGS.</summary>
    public static ManagedOutcome SwapGs(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        (vcpu.Registers.GsBase, vcpu.System.KernelGsBase) = (vcpu.System.KernelGsBase, vcpu.Registers.GsBase);
        return ManagedOutcome.Next;
    }
}
