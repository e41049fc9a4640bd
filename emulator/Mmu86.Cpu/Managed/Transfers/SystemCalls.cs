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
        if ((system.Efer & Efer.SyscallEnable) == 0)
            return Raise.InvalidOpcode(vcpu);
        RFlags flags = vcpu.Registers.Flags;
        vcpu.Registers.Rcx = vcpu.Registers.Rip + (ulong)instruction.Length;
        vcpu.Registers[11] = (ulong)flags;
        if (vcpu.Configuration.InterceptSyscalls)
        {
            vcpu.RequestedExit = new VmExit { Reason = VmExitReason.Syscall };
            return ManagedOutcome.Exit;
        }

        vcpu.Registers.Rip = system.Lstar;
        vcpu.SetFlags(flags & ~(RFlags)system.SyscallMask);
        int selector = (int)(system.Star >> 32) & 0xFFFC;
        FlatSegments.Enter(vcpu, selector, selector + 8, 0);

        // The trap behind SYSCALL depends on TF as the mask left it.
        vcpu.InhibitsSingleStep = (vcpu.Registers.Flags & RFlags.Trap) == 0;
        return ManagedOutcome.Branch;
    }

    /// <summary>SYSRET to 64-bit mode.</summary>
    public static ManagedOutcome Sysret(Vcpu vcpu, in Instruction instruction)
    {
        SystemState system = vcpu.System;
        if ((system.Efer & Efer.SyscallEnable) == 0)
            return Raise.InvalidOpcode(vcpu);
        if (system.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if (instruction.Code != Code.Sysretq)
            return Unsupported.CompatibilityMode(vcpu, instruction);
        if (!Canonical.Is(vcpu.Registers.Rcx))
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.Registers.Rip = vcpu.Registers.Rcx;
        vcpu.SetFlags((RFlags)(vcpu.Registers[11] & FlagsRestored));
        int selector = (int)(system.Star >> 48);
        FlatSegments.Enter(vcpu, selector + 16, selector + 8, 3);
        return ManagedOutcome.Branch;
    }

    /// <summary>SYSENTER.</summary>
    public static ManagedOutcome Sysenter(Vcpu vcpu, in Instruction instruction)
    {
        SystemState system = vcpu.System;
        if (!vcpu.Features.SysenterSysexit)
            return Raise.InvalidOpcode(vcpu);
        if (Selectors.IsNull((ushort)system.SysenterCs))
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.ClearSystemFlags(RFlags.InterruptEnable | RFlags.Virtual8086);
        vcpu.Registers.Rsp = system.SysenterEsp;
        vcpu.Registers.Rip = system.SysenterEip;
        int selector = (int)system.SysenterCs & 0xFFFC;
        FlatSegments.Enter(vcpu, selector, selector + 8, 0);
        return ManagedOutcome.Branch;
    }

    /// <summary>SYSEXIT to 64-bit mode.</summary>
    public static ManagedOutcome Sysexit(Vcpu vcpu, in Instruction instruction)
    {
        const int CodeOffset = 32;
        const int StackOffset = 40;
        SystemState system = vcpu.System;
        if (!vcpu.Features.SysenterSysexit)
            return Raise.InvalidOpcode(vcpu);
        if (system.Cpl != 0 || Selectors.IsNull((ushort)system.SysenterCs))
            return Raise.GeneralProtection(vcpu, 0);
        if (instruction.Code != Code.Sysexitq)
            return Unsupported.CompatibilityMode(vcpu, instruction);
        if (!Canonical.Is(vcpu.Registers.Rcx) || !Canonical.Is(vcpu.Registers.Rdx))
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.Registers.Rip = vcpu.Registers.Rdx;
        vcpu.Registers.Rsp = vcpu.Registers.Rcx;
        int selector = (int)system.SysenterCs & 0xFFFC;
        FlatSegments.Enter(vcpu, selector + CodeOffset, selector + StackOffset, 3);
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
