using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>How a check of a code segment ended.</summary>
internal enum CodeSegmentCheck
{
    /// <summary>A 64-bit code segment that may be entered.</summary>
    Allowed,

    /// <summary>Refused; the fault is recorded.</summary>
    Fault,

    /// <summary>It may be entered, but its code would run in compatibility mode.</summary>
    Compatibility,
}

/// <summary>The checks of code segments that far jumps, calls and returns enter. SDM 3, "Privilege Level Checking When Transferring Program Control Between Code Segments".</summary>
internal static class CodeSegments
{
    /// <summary>JMP and CALL straight to a code segment, whose descriptor was read already.</summary>
    public static CodeSegmentCheck CheckDirect(Vcpu vcpu, ushort selector, SegmentDescriptor code)
    {
        int cpl = vcpu.System.Cpl;
        bool isAllowed = code.IsCode && (code.IsConforming ? code.Dpl <= cpl : Selectors.Rpl(selector) <= cpl && code.Dpl == cpl);
        return Finish(vcpu, selector, code, isAllowed);
    }

    /// <summary>RET and IRET: the selector's RPL is the privilege level returned to.</summary>
    public static CodeSegmentCheck CheckReturn(Vcpu vcpu, ushort selector, out SegmentDescriptor code)
    {
        code = default;
        if (Selectors.IsNull(selector))
        {
            vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
            return CodeSegmentCheck.Fault;
        }

        if (!SegmentLoading.TryRead(vcpu, selector, out code))
            return CodeSegmentCheck.Fault;
        int rpl = Selectors.Rpl(selector);
        bool isAllowed = code.IsCode && rpl >= vcpu.System.Cpl && (code.IsConforming ? code.Dpl <= rpl : code.Dpl == rpl);
        return Finish(vcpu, selector, code, isAllowed);
    }

    private static CodeSegmentCheck Finish(Vcpu vcpu, ushort selector, SegmentDescriptor code, bool isAllowed)
    {
        // L and D together are reserved.
        ExceptionVector? refusal = !isAllowed || (code.IsLong && code.IsDefault32) ? ExceptionVector.GeneralProtection
            : !code.IsPresent ? ExceptionVector.SegmentNotPresent
            : null;
        if (refusal is { } vector)
        {
            vcpu.Faults.Raise(vector, Selectors.ErrorCode(selector));
            return CodeSegmentCheck.Fault;
        }

        return code.IsLong ? CodeSegmentCheck.Allowed : CodeSegmentCheck.Compatibility;
    }
}
