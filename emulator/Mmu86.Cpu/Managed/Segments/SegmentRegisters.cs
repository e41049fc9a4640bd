using System.Diagnostics;
using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Segment registers by the names that instructions give them.</summary>
internal static class SegmentRegisters
{
    /// <summary>The register.</summary>
    public static SegmentRegister Get(SystemState system, Register register) => register switch
    {
        Register.ES => system.Es,
        Register.CS => system.Cs,
        Register.SS => system.Ss,
        Register.DS => system.Ds,
        Register.FS => system.Fs,
        Register.GS => system.Gs,
        _ => throw new UnreachableException(),
    };

    /// <summary>Loads ES, SS, DS, FS or GS with all checks of the mode. FS and GS take their base from the descriptor, 0 from a null selector.</summary>
    /// <returns>False where it faulted; nothing has changed.</returns>
    public static bool TryLoad(Vcpu vcpu, Register register, ushort selector)
    {
        SegmentRegister loaded;
        if (vcpu.Mode.HasParagraphs())
        {
            loaded = Paragraph(vcpu.Mode, Get(vcpu.System, register), selector);
        }
        else
        {
            NullStack nullStack = vcpu.Mode == ProcessorMode.Long64 ? NullStack.AllowedBelowLevel3 : NullStack.Refused;
            bool isLoaded = register == Register.SS
                ? SegmentLoading.TryStack(vcpu, selector, vcpu.System.Cpl, nullStack, out loaded)
                : SegmentLoading.TryData(vcpu, selector, out loaded);
            if (!isLoaded)
                return false;
        }

        Set(vcpu, register, loaded);
        if (vcpu.Mode != ProcessorMode.Long64)
            vcpu.ModeChanged();
        return true;
    }

    /// <summary>Sets a register without a check. <see cref="Vcpu.ModeChanged"/> is the caller's.</summary>
    public static void Set(Vcpu vcpu, Register register, SegmentRegister value)
    {
        SystemState system = vcpu.System;
        switch (register)
        {
            case Register.ES:
                system.Es = value;
                break;
            case Register.CS:
                system.Cs = value;
                break;
            case Register.SS:
                system.Ss = value;
                break;
            case Register.DS:
                system.Ds = value;
                break;
            case Register.FS:
                system.Fs = value;
                vcpu.Registers.FsBase = value.Base;
                break;
            case Register.GS:
                system.Gs = value;
                vcpu.Registers.GsBase = value.Base;
                break;
            default:
                throw new UnreachableException();
        }
    }

    /// <summary>What a selector of real-address or virtual-8086 mode loads: real-address mode keeps the limit and the attributes there were.</summary>
    public static SegmentRegister Paragraph(ProcessorMode mode, SegmentRegister before, ushort selector) => mode == ProcessorMode.Real
        ? before with { Selector = selector, Base = (ulong)selector << 4 }
        : SegmentDescriptor.Paragraph(selector);
}
