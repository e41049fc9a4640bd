using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Instructions that are in no group: not there yet, undefined on this processor, or of no effect on it.</summary>
internal static unsafe class AbsentInstructions
{
    /// <summary>What to do with one.</summary>
    public static delegate*<Vcpu, in Instruction, ManagedOutcome> Find(in Instruction instruction)
    {
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Nop:
                return &Unsupported.Marker;

            // The hint space 0FH 18H to 1FH: no operation on a processor without what they are for.
            case Mnemonic.Cldemote:
            case Mnemonic.Rdsspd:
            case Mnemonic.Rdsspq:
            case Mnemonic.Prefetchit0:
            case Mnemonic.Prefetchit1:
            case Mnemonic.Prefetchwt1:
                return &Unsupported.Nothing;

            // Undefined by intention, or because what enables them cannot be set: CR4.OSXSAVE and SMXE.
            case Mnemonic.Ud0:
            case Mnemonic.Ud1:
            case Mnemonic.Ud2:
            case Mnemonic.Xgetbv:
            case Mnemonic.Xsetbv:
            case Mnemonic.Getsec:
            case Mnemonic.Rsm:
                return &Unsupported.Undefined;
            case Mnemonic.Db:
                return &Unsupported.TooLong;
            default:
                return IsBaseline(instruction) ? &FloatingPoint.Refuse : &Unsupported.Undefined;
        }
    }

    // Part of every x86-64 processor: general purpose, x87, MMX, SSE, SSE2, FXSAVE. Anything else CPUID does not claim.
    private static bool IsBaseline(in Instruction instruction)
    {
        foreach (CpuidFeature feature in instruction.CpuidFeatures)
        {
            bool isBaseline = feature is CpuidFeature.INTEL8086 or CpuidFeature.INTEL186 or CpuidFeature.INTEL286 or CpuidFeature.INTEL386
                or CpuidFeature.INTEL486 or CpuidFeature.X64 or CpuidFeature.CMOV or CpuidFeature.CPUID or CpuidFeature.CX8
                or CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 or CpuidFeature.FXSR or CpuidFeature.MMX
                or CpuidFeature.MSR or CpuidFeature.SSE or CpuidFeature.SSE2 or CpuidFeature.TSC;
            if (!isBaseline)
                return false;
        }

        return true;
    }
}
