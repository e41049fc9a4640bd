using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Virtual-8086 mode: entering it by IRETD, and what its tasks may do with interrupts. SDM 3, "8086 Emulation".</summary>
internal static class Virtual8086
{
    private const ulong InterruptVectors = 0;

    // Flags that a task with IOPL below 3 changes by itself when CR4.VME=1: never IF, IOPL, VM, VIF and VIP.
    private const RFlags OwnFlags = RFlags.Status | RFlags.Trap | RFlags.Direction | RFlags.NestedTask;

    /// <summary>IRETD from level 0 of protected mode with VM set in the image of EFLAGS.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="offset">IP.</param>
    /// <param name="selector">CS.</param>
    /// <param name="flags">EFLAGS.</param>
    /// <param name="stack">Where the other six values begin: ESP, SS, ES, DS, FS, GS.</param>
    public static ManagedOutcome Enter(Vcpu vcpu, ulong offset, ushort selector, RFlags flags, ulong stack)
    {
        const ulong CodeLimit = 0xFFFF;
        Span<ulong> words = stackalloc ulong[6];
        for (int i = 0; i < words.Length; i++)
        {
            if (!StackAccess.TryPop(vcpu, ref stack, 4, out words[i]))
                return ManagedOutcome.Fault;
        }

        if (offset > CodeLimit)
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.Registers.Rsp = words[0];
        Load(vcpu, Register.SS, words[1]);
        Load(vcpu, Register.ES, words[2]);
        Load(vcpu, Register.DS, words[3]);
        Load(vcpu, Register.FS, words[4]);
        Load(vcpu, Register.GS, words[5]);
        vcpu.System.Cs = SegmentDescriptor.Paragraph(selector);
        vcpu.System.Cpl = 3;
        vcpu.Registers.Rip = offset;
        vcpu.SetFlags(vcpu.Breakpoints.WatchesCode ? flags : flags & ~RFlags.Resume);
        vcpu.ModeChanged();
        return ManagedOutcome.Branch;
    }

    /// <summary>CLI, STI, PUSHF, POPF, INT n and IRET are #GP(0) below IOPL 3, but for what CR4.VME gives.</summary>
    public static bool IsBelowIoPrivilege(Vcpu vcpu) =>
        vcpu.Mode == ProcessorMode.Virtual8086 && SystemAccess.IoPrivilege(vcpu) < 3;

    /// <summary>Whether virtual interrupts are there: CR4.VME.</summary>
    public static bool HasExtensions(Vcpu vcpu) => (vcpu.System.Cr4 & Cr4.VirtualMode) != 0;

    /// <summary>The flags as a task with virtual interrupts sees them: VIF in place of IF, and IOPL 3.</summary>
    public static RFlags VisibleFlags(Vcpu vcpu)
    {
        RFlags flags = vcpu.Registers.Flags;
        RFlags interrupts = (flags & RFlags.VirtualInterrupt) != 0 ? RFlags.InterruptEnable : RFlags.None;
        return (flags & ~RFlags.InterruptEnable) | interrupts | RFlags.IoPrivilege;
    }

    /// <summary>What POPF and IRET of 16 bits make of the flags of a task with virtual interrupts: IF goes to VIF.</summary>
    /// <returns>False with #GP(0) recorded: TF set, or IF set while an interrupt is pending.</returns>
    public static bool TrySetVisibleFlags(Vcpu vcpu, RFlags popped)
    {
        RFlags flags = vcpu.Registers.Flags;
        bool enables = (popped & RFlags.InterruptEnable) != 0;
        if ((popped & RFlags.Trap) != 0 || (enables && (flags & RFlags.VirtualInterruptPending) != 0))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        flags = (flags & ~(OwnFlags | RFlags.VirtualInterrupt)) | (popped & OwnFlags) | (enables ? RFlags.VirtualInterrupt : RFlags.None);
        vcpu.SetFlags(flags);
        return true;
    }

    /// <summary>IRET and IRETD of a task.</summary>
    public static ManagedOutcome InterruptReturn(Vcpu vcpu, int size)
    {
        if (!IsBelowIoPrivilege(vcpu))
            return ParagraphTransfers.InterruptReturn(vcpu, size);
        if (!HasExtensions(vcpu) || size != 2)
            return Raise.GeneralProtection(vcpu, 0);
        if (!ParagraphTransfers.TryPopFrame(vcpu, size, out FarPointer target, out RFlags popped, out ulong stack)
            || !TrySetVisibleFlags(vcpu, popped))
            return ManagedOutcome.Fault;
        ParagraphTransfers.FinishInterruptReturn(vcpu, target, stack, vcpu.Registers.Flags);
        return ManagedOutcome.Branch;
    }

    /// <summary>INT n that goes to the task's own interrupt table, without leaving virtual-8086 mode.</summary>
    public static ManagedOutcome Redirect(Vcpu vcpu, in Instruction instruction, byte vector)
    {
        bool isVirtual = IsBelowIoPrivilege(vcpu);
        if (!vcpu.Data.TryRead(InterruptVectors + (vector * 4UL), out uint pointer))
            return ManagedOutcome.Fault;
        RFlags flags = isVirtual ? VisibleFlags(vcpu) : vcpu.Registers.Flags;
        ReadOnlySpan<ulong> words = [(ulong)flags, vcpu.System.Cs.Selector, FarTransfers.Next(vcpu, instruction)];
        TransferStack stack = TransferStack.Current(vcpu);
        if (!stack.HasRoom(words.Length, 2))
            return Raise.Exception(vcpu, ExceptionVector.StackFault, 0);
        if (!vcpu.Data.TryPushWords(stack, words, 2, vcpu.Data.Mode))
            return ManagedOutcome.Fault;
        vcpu.Registers.Rsp = stack.After(words.Length * 2);
        vcpu.ClearSystemFlags(RFlags.Trap | RFlags.NestedTask | (isVirtual ? RFlags.VirtualInterrupt : RFlags.InterruptEnable));
        vcpu.InhibitsSingleStep = true;
        return ParagraphTransfers.Enter(vcpu, new FarPointer((ushort)(pointer >> 16), (ushort)pointer));
    }

    private static void Load(Vcpu vcpu, Register register, ulong selector) =>
        SegmentRegisters.Set(vcpu, register, SegmentDescriptor.Paragraph((ushort)selector));
}
