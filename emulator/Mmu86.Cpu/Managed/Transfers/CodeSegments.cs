using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The checks of code segments that far jumps, calls and returns enter, and the entering.</summary>
/// <remarks>SDM 3, "Privilege Level Checking When Transferring Program Control Between Code Segments". Checks return false with the fault recorded.</remarks>
internal static class CodeSegments
{
    /// <summary>JMP and CALL straight to a code segment, whose descriptor was read already.</summary>
    public static bool CheckDirect(Vcpu vcpu, ushort selector, SegmentDescriptor code)
    {
        int cpl = vcpu.System.Cpl;
        bool isAllowed = code.IsCode && (code.IsConforming ? code.Dpl <= cpl : Selectors.Rpl(selector) <= cpl && code.Dpl == cpl);
        return Finish(vcpu, selector, code, isAllowed);
    }

    /// <summary>RET and IRET: the selector's RPL is the privilege level returned to.</summary>
    public static bool CheckReturn(Vcpu vcpu, ushort selector, out SegmentDescriptor code)
    {
        code = default;
        if (Selectors.IsNull(selector))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        if (!SegmentLoading.TryRead(vcpu, selector, out code))
            return false;
        int rpl = Selectors.Rpl(selector);
        bool isAllowed = code.IsCode && rpl >= vcpu.System.Cpl && (code.IsConforming ? code.Dpl <= rpl : code.Dpl == rpl);
        return Finish(vcpu, selector, code, isAllowed);
    }

    /// <summary>The code segment behind a gate, of this or of an inner level. IA-32e mode has 64-bit ones only.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="selector">From the gate.</param>
    /// <param name="external">EXT of error codes.</param>
    /// <param name="code">Its descriptor.</param>
    public static bool CheckGate(Vcpu vcpu, ushort selector, uint external, out SegmentDescriptor code)
    {
        code = default;
        if (Selectors.IsNull(selector))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, external);
        if (!SegmentLoading.TryRead(vcpu, selector, ExceptionVector.GeneralProtection, external, out code))
            return false;
        uint errorCode = Selectors.ErrorCode(selector) | external;
        bool isAllowed = code.IsCode && code.Dpl <= vcpu.System.Cpl && (!vcpu.Mode.IsLong() || (code.IsLong && !code.IsDefault32));
        if (!isAllowed)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        return code.IsPresent || vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
    }

    /// <summary>Whether a target is canonical, or inside the limit of 16- and 32-bit code: else #GP(EXT).</summary>
    public static bool CheckOffset(Vcpu vcpu, SegmentDescriptor code, ulong offset, uint external)
    {
        bool isAllowed = IsLong(vcpu, code) ? vcpu.IsCanonical(offset) : offset <= code.Limit;
        return isAllowed || vcpu.Faults.Raise(ExceptionVector.GeneralProtection, external);
    }

    /// <summary>Whether code of a segment would run in 64-bit mode.</summary>
    public static bool IsLong(Vcpu vcpu, SegmentDescriptor code) => vcpu.Mode.IsLong() && code.IsLong;

    /// <summary>Enters a code segment at a privilege level.</summary>
    public static void Enter(Vcpu vcpu, SegmentRegister code, int cpl, ulong offset)
    {
        vcpu.System.Cs = code;
        vcpu.System.Cpl = cpl;
        vcpu.Registers.Rip = offset;
        vcpu.ModeChanged();
    }

    private static bool Finish(Vcpu vcpu, ushort selector, SegmentDescriptor code, bool isAllowed)
    {
        // In IA-32e mode L and D together are reserved.
        if (!isAllowed || (vcpu.Mode.IsLong() && code.IsLong && code.IsDefault32))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, Selectors.ErrorCode(selector));
        return code.IsPresent || vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, Selectors.ErrorCode(selector));
    }
}
