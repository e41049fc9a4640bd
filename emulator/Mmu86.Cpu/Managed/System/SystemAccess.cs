using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Checks of privilege that several instructions share.</summary>
internal static class SystemAccess
{
    /// <summary>Whether CR4.UMIP keeps SGDT, SIDT, SLDT, STR and SMSW from this privilege level.</summary>
    public static bool IsPreventedInUserMode(Vcpu vcpu) =>
        vcpu.System.Cpl != 0 && (vcpu.System.Cr4 & Cr4.UserModeInstructionPrevention) != 0;

    /// <summary>I/O privilege level: what CPL may be at most for CLI, STI and ports without a bitmap.</summary>
    public static int IoPrivilege(Vcpu vcpu) => (int)((ulong)vcpu.Registers.Flags >> 12) & 3;
}
