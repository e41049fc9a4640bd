using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>IRET, IRETD and IRETQ. SDM 2, "IRET/IRETD/IRETQ—Interrupt Return".</summary>
/// <remarks>
/// In 64-bit mode all three pop five values, at any privilege level. RF lasts for one instruction and only keeps instruction breakpoints
/// away: it is forgotten where none is armed, so that each return from a page fault does not cost a single step.
/// </remarks>
internal static class InterruptReturn
{
    private const RFlags AlwaysRestored = RFlags.Status | RFlags.Trap | RFlags.Direction | RFlags.NestedTask;
    private const RFlags RestoredByWideReturns = RFlags.AlignmentCheck | RFlags.Identification;

    /// <summary>Executes it; NMIs are not blocked any more.</summary>
    public static ManagedOutcome Execute(Vcpu vcpu, in Instruction instruction)
    {
        ManagedOutcome outcome = ReturnByMode(vcpu, instruction);
        if (outcome == ManagedOutcome.Branch)
            vcpu.UnblockNonMaskable();
        return outcome;
    }

    private static ManagedOutcome ReturnByMode(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Code switch
        {
            Code.Iretw => 2,
            Code.Iretd => 4,
            _ => 8,
        };
        switch (vcpu.Mode)
        {
            case ProcessorMode.Real:
                return ParagraphTransfers.InterruptReturn(vcpu, size);
            case ProcessorMode.Virtual8086:
                return Virtual8086.InterruptReturn(vcpu, size);
            default:
                break;
        }

        if ((vcpu.Registers.Flags & RFlags.NestedTask) != 0)
            return vcpu.Mode.IsLong() ? Raise.GeneralProtection(vcpu, 0) : TaskTransfers.Return(vcpu, instruction);
        ulong stack = StackAccess.Pointer(vcpu);
        if (!StackAccess.TryPop(vcpu, ref stack, size, out ulong offset)
            || !StackAccess.TryPop(vcpu, ref stack, size, out ulong selector)
            || !StackAccess.TryPop(vcpu, ref stack, size, out ulong flags))
            return ManagedOutcome.Fault;
        var frame = new InterruptFrame(offset, (ushort)selector, (RFlags)flags, size);
        bool entersVirtual8086 = !vcpu.Mode.IsLong() && size == 4 && vcpu.System.Cpl == 0 && (frame.Flags & RFlags.Virtual8086) != 0;
        return entersVirtual8086 ? Virtual8086.Enter(vcpu, frame.Offset, frame.Selector, frame.Flags, stack) : Return(vcpu, frame, stack);
    }

    private static ManagedOutcome Return(Vcpu vcpu, in InterruptFrame frame, ulong stack)
    {
        if (!CodeSegments.CheckReturn(vcpu, frame.Selector, out SegmentDescriptor code))
            return ManagedOutcome.Fault;
        int cpl = Selectors.Rpl(frame.Selector);
        bool switchesStack = cpl > vcpu.System.Cpl || vcpu.Mode == ProcessorMode.Long64;
        ulong pointer = 0;
        SegmentRegister segment = default;
        if (switchesStack)
        {
            if (!StackAccess.TryPop(vcpu, ref stack, frame.Size, out pointer)
                || !StackAccess.TryPop(vcpu, ref stack, frame.Size, out ulong stackSelector)
                || !OuterReturn.TryLoadStack(vcpu, (ushort)stackSelector, cpl, code, out segment))
                return ManagedOutcome.Fault;
        }

        if (!CodeSegments.CheckOffset(vcpu, code, frame.Offset, 0) || !DescriptorTables.TrySetAccessed(vcpu, frame.Selector, code))
            return ManagedOutcome.Fault;
        if (switchesStack)
            OuterReturn.SetStack(vcpu, code, segment, pointer);
        else
            StackAccess.SetPointer(vcpu, stack);
        RestoreFlags(vcpu, frame);
        OuterReturn.Enter(vcpu, code.ToRegister(frame.Selector), frame.Offset);
        return ManagedOutcome.Branch;
    }

    // What may be restored depends on the privilege level that is left.
    private static void RestoreFlags(Vcpu vcpu, in InterruptFrame frame)
    {
        int cpl = vcpu.System.Cpl;
        RFlags restored = AlwaysRestored;
        if (frame.Size > 2)
        {
            restored |= RestoredByWideReturns | (vcpu.Breakpoints.WatchesCode ? RFlags.Resume : RFlags.None);
            if (cpl == 0)
                restored |= RFlags.VirtualInterrupt | RFlags.VirtualInterruptPending;
        }

        if (cpl <= SystemAccess.IoPrivilege(vcpu))
            restored |= RFlags.InterruptEnable;
        if (cpl == 0)
            restored |= RFlags.IoPrivilege;
        vcpu.SetFlags((vcpu.Registers.Flags & ~restored) | (frame.Flags & restored));
    }

    private readonly record struct InterruptFrame(ulong Offset, ushort Selector, RFlags Flags, int Size);
}
