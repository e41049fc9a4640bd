using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Far transfers of real-address and virtual-8086 mode: CS is a paragraph and nothing but its limit is checked.</summary>
internal static class ParagraphTransfers
{
    // What IRETD leaves alone in real-address mode. SDM 2, "IRET/IRETD/IRETQ—Interrupt Return".
    private const RFlags KeptByWideReturns = RFlags.Virtual8086 | RFlags.VirtualInterrupt | RFlags.VirtualInterruptPending;

    /// <summary>Far JMP.</summary>
    public static ManagedOutcome Jump(Vcpu vcpu, FarPointer target) =>
        CheckOffset(vcpu, target.Offset) ? Enter(vcpu, target) : ManagedOutcome.Fault;

    /// <summary>Far CALL.</summary>
    public static ManagedOutcome Call(Vcpu vcpu, in Instruction instruction, FarPointer target)
    {
        int wordBytes = FarPointer.OffsetBytes(instruction);
        ReadOnlySpan<ulong> words = [vcpu.System.Cs.Selector, FarTransfers.Next(vcpu, instruction)];
        TransferStack stack = TransferStack.Current(vcpu);
        if (!stack.HasRoom(words.Length, wordBytes))
            return Raise.Exception(vcpu, ExceptionVector.StackFault, 0);
        if (!CheckOffset(vcpu, target.Offset) || !vcpu.Data.TryPushWords(stack, words, wordBytes, vcpu.Data.Mode))
            return ManagedOutcome.Fault;
        vcpu.Registers.Rsp = stack.After(words.Length * wordBytes);
        return Enter(vcpu, target);
    }

    /// <summary>Far RET.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="size">Bytes of a word on the stack.</param>
    /// <param name="released">Bytes of parameters to release.</param>
    public static ManagedOutcome Return(Vcpu vcpu, int size, int released)
    {
        ulong stack = StackAccess.Pointer(vcpu);
        if (!StackAccess.TryPop(vcpu, ref stack, size, out ulong offset)
            || !StackAccess.TryPop(vcpu, ref stack, size, out ulong selector)
            || !CheckOffset(vcpu, offset))
            return ManagedOutcome.Fault;
        StackAccess.SetPointer(vcpu, StackAccess.Up(vcpu, stack, released));
        return Enter(vcpu, new FarPointer((ushort)selector, offset));
    }

    /// <summary>IRET and IRETD, where they are allowed.</summary>
    public static ManagedOutcome InterruptReturn(Vcpu vcpu, int size)
    {
        if (!TryPopFrame(vcpu, size, out FarPointer target, out RFlags popped, out ulong stack))
            return ManagedOutcome.Fault;
        RFlags kept = size == 2 ? ~(RFlags)0xFFFF : KeptByWideReturns;

        // A virtual-8086 task may not change its I/O privilege level.
        if (vcpu.Mode == ProcessorMode.Virtual8086)
            kept |= KeptByWideReturns | RFlags.IoPrivilege;
        FinishInterruptReturn(vcpu, target, stack, (vcpu.Registers.Flags & kept) | (popped & ~kept));
        return ManagedOutcome.Branch;
    }

    /// <summary>Pops the three words of IRET.</summary>
    /// <returns>False where that faulted or the target lies outside CS.</returns>
    public static bool TryPopFrame(Vcpu vcpu, int size, out FarPointer target, out RFlags flags, out ulong stack)
    {
        target = default;
        flags = default;
        stack = StackAccess.Pointer(vcpu);
        if (!StackAccess.TryPop(vcpu, ref stack, size, out ulong offset)
            || !StackAccess.TryPop(vcpu, ref stack, size, out ulong selector)
            || !StackAccess.TryPop(vcpu, ref stack, size, out ulong popped)
            || !CheckOffset(vcpu, offset))
            return false;
        target = new FarPointer((ushort)selector, offset);
        flags = (RFlags)popped;
        return true;
    }

    /// <summary>Ends an IRET.</summary>
    public static void FinishInterruptReturn(Vcpu vcpu, FarPointer target, ulong stack, RFlags flags)
    {
        StackAccess.SetPointer(vcpu, stack);
        vcpu.SetFlags(vcpu.Breakpoints.WatchesCode ? flags : flags & ~RFlags.Resume);
        _ = Enter(vcpu, target);
    }

    /// <summary>Puts CS:IP in force.</summary>
    public static ManagedOutcome Enter(Vcpu vcpu, FarPointer target)
    {
        CodeSegments.Enter(
            vcpu, SegmentRegisters.Paragraph(vcpu.Mode, vcpu.System.Cs, target.Selector), vcpu.System.Cpl, target.Offset);
        return ManagedOutcome.Branch;
    }

    private static bool CheckOffset(Vcpu vcpu, ulong offset) =>
        offset <= vcpu.System.Cs.Limit || vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
}
