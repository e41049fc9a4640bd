using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>IRET, IRETD and IRETQ in 64-bit mode. SDM 2, "IRET/IRETD/IRETQ—Interrupt Return".</summary>
/// <remarks>
/// All three pop five values, at any privilege level. RF lasts for one instruction and only keeps instruction breakpoints away: it is
/// forgotten where none is armed, so that each return from a page fault does not cost a single step.
/// </remarks>
internal static class InterruptReturn
{
    private const RFlags AlwaysRestored = RFlags.Status | RFlags.Trap | RFlags.Direction | RFlags.NestedTask;
    private const RFlags RestoredByWideReturns = RFlags.AlignmentCheck | RFlags.Identification;

    /// <summary>Executes it.</summary>
    public static ManagedOutcome Execute(Vcpu vcpu, in Instruction instruction)
    {
        if ((vcpu.Registers.Flags & RFlags.NestedTask) != 0)
            return Raise.GeneralProtection(vcpu, 0);
        int size = instruction.Code switch
        {
            Code.Iretw => 2,
            Code.Iretd => 4,
            _ => 8,
        };
        Span<ulong> frame = stackalloc ulong[5];
        if (!TryPop(vcpu, size, frame))
            return ManagedOutcome.Fault;
        ulong rip = frame[0];
        var selector = (ushort)frame[1];
        switch (CodeSegments.CheckReturn(vcpu, selector, out SegmentDescriptor code))
        {
            case CodeSegmentCheck.Fault:
                return ManagedOutcome.Fault;
            case CodeSegmentCheck.Compatibility:
                return Unsupported.CompatibilityMode(vcpu, instruction);
            case CodeSegmentCheck.Allowed:
                break;
        }

        int cpl = Selectors.Rpl(selector);
        if (!Canonical.Is(rip))
            return Raise.GeneralProtection(vcpu, 0);
        if (!SegmentLoading.TryStack(vcpu, (ushort)frame[4], cpl, out SegmentRegister stack)
            || !DescriptorTables.TrySetAccessed(vcpu, selector, code))
            return ManagedOutcome.Fault;
        Commit(vcpu, frame, size, code.ToRegister(selector), stack, cpl);
        vcpu.UnblockNonMaskable();
        return ManagedOutcome.Branch;
    }

    private static bool TryPop(Vcpu vcpu, int size, Span<ulong> frame)
    {
        ulong stack = vcpu.Registers.Rsp;
        for (int i = 0; i < frame.Length; i++)
        {
            if (!Operands.TryLoad(vcpu, stack + (ulong)(i * size), size, isStack: true, out frame[i]))
                return false;
        }

        return true;
    }

    private static void Commit(Vcpu vcpu, ReadOnlySpan<ulong> frame, int size, SegmentRegister code, SegmentRegister stack, int cpl)
    {
        // What may be restored depends on the privilege level that is left.
        int from = vcpu.System.Cpl;
        RFlags restored = AlwaysRestored;
        if (size > 2)
            restored |= RestoredByWideReturns | (vcpu.Breakpoints.WatchesCode ? RFlags.Resume : RFlags.None);
        if (from <= SystemAccess.IoPrivilege(vcpu))
            restored |= RFlags.InterruptEnable;
        if (from == 0)
            restored |= RFlags.IoPrivilege;
        vcpu.Registers.Rip = frame[0];
        vcpu.Registers.Rsp = frame[3];
        vcpu.SetFlags((vcpu.Registers.Flags & ~restored) | ((RFlags)frame[2] & restored));
        vcpu.System.Cs = code;
        vcpu.System.Ss = stack;
        if (cpl == from)
            return;
        vcpu.System.Cpl = cpl;
        SegmentLoading.DropInaccessible(vcpu, cpl);
        vcpu.ModeChanged();
    }
}
