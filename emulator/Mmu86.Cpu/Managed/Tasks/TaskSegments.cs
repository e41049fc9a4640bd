using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Loads the segment registers of a new task, in its own context. SDM 3, "Exception Conditions Checked During a Task Switch".</summary>
/// <remarks>Checks return false with the fault recorded; registers not reached by then hold their selector and no descriptor.</remarks>
internal static class TaskSegments
{
    private const int Es = 0;
    private const int Cs = 1;
    private const int Ss = 2;
    private const int Ds = 3;

    /// <summary>Puts the selectors in place, without descriptors. Until CS and SS are loaded the level is 3, so that an exception switches stacks.</summary>
    public static void Unload(Vcpu vcpu, in TaskImage image)
    {
        for (int i = 0; i < TaskImage.SegmentSelectors.Count; i++)
            SegmentRegisters.Set(vcpu, TaskImage.SegmentName(i), new SegmentRegister(image.Segments[i], 0, 0, 0));
        vcpu.System.Ldtr = new SegmentRegister(image.LocalTable, 0, 0, 0);
        vcpu.System.Cpl = 3;
    }

    /// <summary>Loads them with all checks.</summary>
    public static bool TryLoad(Vcpu vcpu, in TaskImage image, uint external)
    {
        bool isLoaded = TryLoadLocalTable(vcpu, image.LocalTable, external)
            && (((RFlags)image.Flags & RFlags.Virtual8086) != 0 ? LoadParagraphs(vcpu, image) : TryLoadProtected(vcpu, image, external));
        vcpu.ModeChanged();
        if (!isLoaded)
            return false;
        return image.Pointer <= vcpu.System.Cs.Limit || vcpu.Faults.Raise(ExceptionVector.GeneralProtection, external);
    }

    private static bool LoadParagraphs(Vcpu vcpu, in TaskImage image)
    {
        for (int i = 0; i < TaskImage.SegmentSelectors.Count; i++)
            SegmentRegisters.Set(vcpu, TaskImage.SegmentName(i), SegmentDescriptor.Paragraph(image.Segments[i]));
        return true;
    }

    private static bool TryLoadProtected(Vcpu vcpu, in TaskImage image, uint external)
    {
        int cpl = Selectors.Rpl(image.Segments[Cs]);
        if (!TryLoadCode(vcpu, image.Segments[Cs], external, out SegmentRegister code)
            || !TryLoadStack(vcpu, image.Segments[Ss], cpl, external))
            return false;
        vcpu.System.Cs = code;
        vcpu.System.Cpl = cpl;
        for (int i = Es; i < TaskImage.SegmentSelectors.Count; i++)
        {
            if (i is Es or >= Ds && !TryLoadData(vcpu, TaskImage.SegmentName(i), image.Segments[i], cpl, external))
                return false;
        }

        return true;
    }

    private static bool TryLoadLocalTable(Vcpu vcpu, ushort selector, uint external)
    {
        if (Selectors.IsNull(selector))
            return true;
        uint errorCode = Selectors.ErrorCode(selector) | external;
        if (Selectors.IsLocal(selector))
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, errorCode);
        if (!SegmentLoading.TryRead(vcpu, selector, ExceptionVector.InvalidTss, external, out SegmentDescriptor descriptor))
            return false;
        if (!descriptor.IsSystem || descriptor.Type != SegmentDescriptor.LocalDescriptorTable || !descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, errorCode);
        vcpu.System.Ldtr = descriptor.ToRegister(selector);
        return true;
    }

    private static bool TryLoadCode(Vcpu vcpu, ushort selector, uint external, out SegmentRegister code)
    {
        code = default;
        uint errorCode = Selectors.ErrorCode(selector) | external;
        if (Selectors.IsNull(selector))
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, errorCode);
        if (!SegmentLoading.TryRead(vcpu, selector, ExceptionVector.InvalidTss, external, out SegmentDescriptor descriptor))
            return false;
        int rpl = Selectors.Rpl(selector);
        if (!descriptor.IsCode || (descriptor.IsConforming ? descriptor.Dpl > rpl : descriptor.Dpl != rpl))
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, errorCode);
        if (!descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
        code = descriptor.ToRegister(selector);
        return DescriptorTables.TrySetAccessed(vcpu, selector, descriptor);
    }

    private static bool TryLoadStack(Vcpu vcpu, ushort selector, int cpl, uint external)
    {
        uint errorCode = Selectors.ErrorCode(selector) | external;
        if (Selectors.IsNull(selector))
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, errorCode);
        if (!SegmentLoading.TryRead(vcpu, selector, ExceptionVector.InvalidTss, external, out SegmentDescriptor descriptor))
            return false;
        if (!descriptor.IsWritableData || descriptor.Dpl != cpl || Selectors.Rpl(selector) != cpl)
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, errorCode);
        if (!descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.StackFault, errorCode);
        vcpu.System.Ss = descriptor.ToRegister(selector);
        return DescriptorTables.TrySetAccessed(vcpu, selector, descriptor);
    }

    private static bool TryLoadData(Vcpu vcpu, Register register, ushort selector, int cpl, uint external)
    {
        if (Selectors.IsNull(selector))
            return true;
        uint errorCode = Selectors.ErrorCode(selector) | external;
        if (!SegmentLoading.TryRead(vcpu, selector, ExceptionVector.InvalidTss, external, out SegmentDescriptor descriptor))
            return false;
        bool isAllowed = descriptor.IsReadable
            && (descriptor.IsConforming || descriptor.Dpl >= Math.Max(Selectors.Rpl(selector), cpl));
        if (!isAllowed)
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, errorCode);
        if (!descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
        SegmentRegisters.Set(vcpu, register, descriptor.ToRegister(selector));
        return DescriptorTables.TrySetAccessed(vcpu, selector, descriptor);
    }
}
