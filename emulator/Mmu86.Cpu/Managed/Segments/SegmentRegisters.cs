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

    /// <summary>Loads ES, SS, DS, FS or GS with all checks. FS and GS take their base from the descriptor, 0 from a null selector.</summary>
    /// <returns>False where it faulted; nothing has changed.</returns>
    public static bool TryLoad(Vcpu vcpu, Register register, ushort selector)
    {
        SystemState system = vcpu.System;
        bool isLoaded = register == Register.SS
            ? SegmentLoading.TryStack(vcpu, selector, system.Cpl, out SegmentRegister loaded)
            : SegmentLoading.TryData(vcpu, selector, out loaded);
        if (!isLoaded)
            return false;
        switch (register)
        {
            case Register.ES:
                system.Es = loaded;
                break;
            case Register.SS:
                system.Ss = loaded;
                break;
            case Register.DS:
                system.Ds = loaded;
                break;
            case Register.FS:
                system.Fs = loaded;
                vcpu.Registers.FsBase = loaded.Base;
                break;
            case Register.GS:
                system.Gs = loaded;
                vcpu.Registers.GsBase = loaded.Base;
                break;
            default:
                throw new UnreachableException();
        }

        return true;
    }
}
