using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Far RET. SDM 2, "RET—Return From Procedure".</summary>
internal static class FarReturn
{
    /// <summary>Executes it.</summary>
    public static ManagedOutcome Execute(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Code switch
        {
            Code.Retfw or Code.Retfw_imm16 => 2,
            Code.Retfd or Code.Retfd_imm16 => 4,
            _ => 8,
        };
        ulong released = instruction.OpCount == 1 ? instruction.Immediate16 : 0u;
        ulong stack = vcpu.Registers.Rsp;
        if (!TryPop(vcpu, ref stack, size, out ulong rip) || !TryPop(vcpu, ref stack, size, out ulong selectorWord))
            return ManagedOutcome.Fault;
        var selector = (ushort)selectorWord;
        switch (CodeSegments.CheckReturn(vcpu, selector, out SegmentDescriptor code))
        {
            case CodeSegmentCheck.Fault:
                return ManagedOutcome.Fault;
            case CodeSegmentCheck.Compatibility:
                return Unsupported.CompatibilityMode(vcpu, instruction);
            case CodeSegmentCheck.Allowed:
                break;
        }

        if (!Canonical.Is(rip))
            return Raise.GeneralProtection(vcpu, 0);
        stack += released;
        int cpl = Selectors.Rpl(selector);
        SegmentRegister stackSegment = vcpu.System.Ss;
        if (cpl > vcpu.System.Cpl)
        {
            if (!TryPop(vcpu, ref stack, size, out ulong outerStack)
                || !TryPop(vcpu, ref stack, size, out ulong stackSelector)
                || !SegmentLoading.TryStack(vcpu, (ushort)stackSelector, cpl, out stackSegment))
                return ManagedOutcome.Fault;
            stack = outerStack + released;
        }

        if (!DescriptorTables.TrySetAccessed(vcpu, selector, code))
            return ManagedOutcome.Fault;
        vcpu.Registers.Rip = rip;
        vcpu.Registers.Rsp = stack;
        vcpu.System.Cs = code.ToRegister(selector);
        vcpu.System.Ss = stackSegment;
        if (cpl > vcpu.System.Cpl)
        {
            vcpu.System.Cpl = cpl;
            SegmentLoading.DropInaccessible(vcpu, cpl);
            vcpu.ModeChanged();
        }

        return ManagedOutcome.Branch;
    }

    private static bool TryPop(Vcpu vcpu, ref ulong stack, int size, out ulong value)
    {
        if (!Operands.TryLoad(vcpu, stack, size, isStack: true, out value))
            return false;
        stack += (ulong)size;
        return true;
    }
}
