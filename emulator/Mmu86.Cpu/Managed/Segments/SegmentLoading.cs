using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Whether SS may become null.</summary>
internal enum NullStack
{
    Refused,

    /// <summary>64-bit mode needs no stack segment, except at level 3.</summary>
    AllowedBelowLevel3,
}

/// <summary>The checks that loading a segment register makes. SDM 3, "Privilege Level Checking When Accessing Data Segments".</summary>
/// <remarks>Each returns false with the fault recorded. The register itself is the caller's to set.</remarks>
internal static class SegmentLoading
{
    /// <summary>DS, ES, FS or GS.</summary>
    public static bool TryData(Vcpu vcpu, ushort selector, out SegmentRegister register)
    {
        register = SegmentDescriptor.Null(selector);
        if (Selectors.IsNull(selector))
            return true;
        if (!TryRead(vcpu, selector, out SegmentDescriptor descriptor))
            return false;
        bool isAllowed = descriptor.IsReadable
            && (descriptor.IsConforming || descriptor.Dpl >= Math.Max(Selectors.Rpl(selector), vcpu.System.Cpl));
        if (!isAllowed)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, Selectors.ErrorCode(selector));
        if (!descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, Selectors.ErrorCode(selector));
        register = descriptor.ToRegister(selector);
        return DescriptorTables.TrySetAccessed(vcpu, selector, descriptor);
    }

    /// <summary>SS for a privilege level, which is the current one or the one returned to.</summary>
    public static bool TryStack(Vcpu vcpu, ushort selector, int cpl, NullStack nullStack, out SegmentRegister register)
    {
        register = SegmentDescriptor.Null(selector);
        if (Selectors.IsNull(selector))
        {
            return (nullStack == NullStack.AllowedBelowLevel3 && cpl != 3 && Selectors.Rpl(selector) == cpl)
                || vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        }

        if (!TryRead(vcpu, selector, out SegmentDescriptor descriptor))
            return false;
        if (Selectors.Rpl(selector) != cpl || !descriptor.IsWritableData || descriptor.Dpl != cpl)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, Selectors.ErrorCode(selector));
        if (!descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.StackFault, Selectors.ErrorCode(selector));
        register = descriptor.ToRegister(selector);
        return DescriptorTables.TrySetAccessed(vcpu, selector, descriptor);
    }

    /// <summary>Reads the descriptor of a selector that is not null; outside its table is #GP(selector).</summary>
    public static bool TryRead(Vcpu vcpu, ushort selector, out SegmentDescriptor descriptor) =>
        TryRead(vcpu, selector, ExceptionVector.GeneralProtection, 0, out descriptor);

    /// <summary>As the other, with another exception and EXT.</summary>
    public static bool TryRead(Vcpu vcpu, ushort selector, ExceptionVector vector, uint external, out SegmentDescriptor descriptor) =>
        DescriptorTables.Read(vcpu, selector, out descriptor) switch
        {
            DescriptorLookup.Found => true,
            DescriptorLookup.OutsideTable => vcpu.Faults.Raise(vector, Selectors.ErrorCode(selector) | external),
            _ => false,
        };

    /// <summary>DS, ES, FS and GS become null on a return to an outer level that may not use them. SDM 2, "RET".</summary>
    public static void DropInaccessible(Vcpu vcpu, int cpl)
    {
        SystemState system = vcpu.System;
        if (IsInaccessible(system.Ds, cpl))
            system.Ds = default;
        if (IsInaccessible(system.Es, cpl))
            system.Es = default;
        if (IsInaccessible(system.Fs, cpl))
        {
            system.Fs = default;
            vcpu.Registers.FsBase = 0;
        }

        if (IsInaccessible(system.Gs, cpl))
        {
            system.Gs = default;
            vcpu.Registers.GsBase = 0;
        }
    }

    // A null selector stays, with its base: FS and GS bases are set by other means in 64-bit mode.
    private static bool IsInaccessible(SegmentRegister register, int cpl)
    {
        const int Code = 8;
        const int Conforming = 4;
        int type = register.Attributes & 15;
        bool isConforming = (type & (Code | Conforming)) == (Code | Conforming);
        return !Selectors.IsNull(register.Selector) && !isConforming && register.Dpl < cpl;
    }
}
