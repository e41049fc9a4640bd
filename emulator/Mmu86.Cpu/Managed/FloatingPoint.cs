using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Instructions of x87, MMX and SSE, which are not there yet: what keeps them from being executed is.</summary>
/// <remarks>
/// A kernel that switches this state lazily, or has none, relies on the exception and not on the instruction.
/// SDM 3, "System Programming for Instruction Set Extensions".
/// </remarks>
internal static class FloatingPoint
{
    /// <summary>#UD or #NM by CR0.EM, CR0.TS and CR4.OSFXSR; else the instruction is refused.</summary>
    public static ManagedOutcome Refuse(Vcpu vcpu, in Instruction instruction)
    {
        Cr0 cr0 = vcpu.System.Cr0;
        bool isEmulated = (cr0 & Cr0.Emulation) != 0, isSwitched = (cr0 & Cr0.TaskSwitched) != 0;
        (bool isUndefined, bool isUnavailable) = KindOf(instruction) switch
        {
            Kind.Coprocessor => (false, isEmulated || isSwitched),
            Kind.Mmx => (isEmulated, isSwitched),
            Kind.Sse => (isEmulated || (vcpu.System.Cr4 & Cr4.OsFxsr) == 0, isSwitched),
            _ => (false, false),
        };
        if (isUndefined)
            return Raise.InvalidOpcode(vcpu);
        return isUnavailable ? Raise.Exception(vcpu, ExceptionVector.DeviceNotAvailable, 0) : Unsupported.Refuse(vcpu, instruction);
    }

    // FXSAVE and FXRSTOR ask what x87 asks; SSE's instructions that name MMX registers alone ask what MMX asks.
    private static Kind KindOf(in Instruction instruction)
    {
        foreach (CpuidFeature feature in instruction.CpuidFeatures)
        {
            switch (feature)
            {
                case CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.FXSR:
                    return Kind.Coprocessor;
                case CpuidFeature.MMX:
                    return Kind.Mmx;
                case CpuidFeature.SSE or CpuidFeature.SSE2:
                    return NamesOnlyMmx(instruction) ? Kind.Mmx : Kind.Sse;
                default:
                    break;
            }
        }

        return Kind.Other;
    }

    private static bool NamesOnlyMmx(in Instruction instruction)
    {
        bool hasMmx = false;
        for (int operand = 0; operand < instruction.OpCount; operand++)
        {
            if (instruction.GetOpKind(operand) != OpKind.Register)
                continue;
            Register register = instruction.GetOpRegister(operand);
            if (register.IsXMM())
                return false;
            hasMmx |= register.IsMM();
        }

        return hasMmx;
    }

    private enum Kind
    {
        Other,
        Coprocessor,
        Mmx,
        Sse,
    }
}
