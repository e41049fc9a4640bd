using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>64-bit call gates. SDM 3, "IA-32e Mode Call Gates".</summary>
internal static class CallGate
{
    // Bits 12:8 of the last doubleword: where a 16-byte descriptor would otherwise show a legal type in its upper half.
    private const ulong UpperReserved = 0x1F00UL << 32;

    /// <summary>Reads and checks a gate and the code segment that it leads to, which may be of this or of an inner level.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="selector">The gate's selector.</param>
    /// <param name="gate">Its first eight bytes: a system descriptor of any type.</param>
    /// <param name="target">Where it leads.</param>
    /// <param name="code">The code segment there.</param>
    /// <returns>False with the fault recorded.</returns>
    public static bool TryRead(Vcpu vcpu, ushort selector, SegmentDescriptor gate, out FarPointer target, out SegmentDescriptor code)
    {
        target = default;
        code = default;
        uint errorCode = Selectors.ErrorCode(selector);
        bool isUsable = gate.Type == SegmentDescriptor.CallGate && gate.Dpl >= Math.Max(Selectors.Rpl(selector), vcpu.System.Cpl);
        if (!isUsable)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        if (!gate.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
        switch (DescriptorTables.ReadUpper(vcpu, selector, out ulong upper))
        {
            case DescriptorLookup.Fault:
                return false;
            case DescriptorLookup.OutsideTable:
                return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
            case DescriptorLookup.Found:
                break;
        }

        if ((upper & UpperReserved) != 0)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        target = new FarPointer(
            (ushort)(gate.Value >> 16), (gate.Value & 0xFFFF) | ((gate.Value >> 32) & 0xFFFF_0000) | (upper << 32));
        return TryReadCode(vcpu, target.Selector, out code);
    }

    private static bool TryReadCode(Vcpu vcpu, ushort selector, out SegmentDescriptor code)
    {
        code = default;
        if (Selectors.IsNull(selector))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        if (!SegmentLoading.TryRead(vcpu, selector, out code))
            return false;
        bool isUsable = code.IsCode && code.Dpl <= vcpu.System.Cpl && code.IsLong && !code.IsDefault32;
        if (!isUsable)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, Selectors.ErrorCode(selector));
        return code.IsPresent || vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, Selectors.ErrorCode(selector));
    }
}
