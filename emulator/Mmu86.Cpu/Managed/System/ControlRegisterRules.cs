using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>What may be written to CR0, CR3, CR4 and IA32_EFER. SDM 3, "Control Registers" and "Paging-Mode Enabling".</summary>
/// <remarks>Pure: a write that is refused is #GP(0) and changes nothing.</remarks>
internal static class ControlRegisterRules
{
    /// <summary>The bits of CR0 that exist; others in 31:0 are ignored.</summary>
    public const Cr0 Cr0Bits = Cr0.ProtectionEnable | Cr0.MonitorCoprocessor | Cr0.Emulation | Cr0.TaskSwitched | Cr0.ExtensionType
        | Cr0.NumericError | Cr0.WriteProtect | Cr0.AlignmentMask | Cr0.NotWriteThrough | Cr0.CacheDisable | Cr0.Paging;

    /// <summary>CR3 bit 63 while CR4.PCIDE=1: nothing need be invalidated. Never stored.</summary>
    public const ulong KeepTranslations = 1UL << 63;

    // CR3.LAM_U57 and CR3.LAM_U48.
    private const ulong UserMasking = 3UL << 61;

    /// <summary>Whether a write of CR0 reloads the PDPTE registers: it changes CD, NW or PG, and the result is PAE paging.</summary>
    public static bool ReloadsPdptes(SystemState system, Cr0 wanted) =>
        ((wanted ^ system.Cr0) & (Cr0.CacheDisable | Cr0.NotWriteThrough | Cr0.Paging)) != 0 && IsPaePaging(wanted, system.Cr4, system.Efer);

    /// <summary>Whether a write of CR4 reloads the PDPTE registers: it changes PAE, PGE, PSE or SMEP, and the result is PAE paging.</summary>
    public static bool ReloadsPdptes(SystemState system, Cr4 wanted)
    {
        const Cr4 Reloading = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable | Cr4.PageSizeExtensions | Cr4.Smep;
        return ((wanted ^ system.Cr4) & Reloading) != 0 && IsPaePaging(system.Cr0, wanted, system.Efer);
    }

    /// <summary>Whether translation uses the PDPTE registers.</summary>
    public static bool IsPaePaging(Cr0 cr0, Cr4 cr4, Efer efer) =>
        Has(cr0, Cr0.Paging) && Has(cr4, Cr4.PhysicalAddressExtension) && !Has(efer, Efer.LongModeEnable);

    /// <summary>What CR0 becomes when software writes a value that is allowed: ET reads as one.</summary>
    public static Cr0 Cr0Stored(ulong value) => ((Cr0)value & Cr0Bits) | Cr0.ExtensionType;

    /// <summary>Whether CR0 may be written.</summary>
    public static bool AllowsCr0(SystemState system, ulong value)
    {
        if (value > uint.MaxValue)
            return false;
        Cr0 wanted = Cr0Stored(value);
        Cr0 changed = wanted ^ system.Cr0;
        bool isPaging = Has(wanted, Cr0.Paging);
        if ((isPaging && !Has(wanted, Cr0.ProtectionEnable)) || (Has(wanted, Cr0.NotWriteThrough) && !Has(wanted, Cr0.CacheDisable)))
            return false;
        if (!Has(wanted, Cr0.WriteProtect) && Has(system.Cr4, Cr4.ControlFlowEnforcement))
            return false;
        if (!Has(changed, Cr0.Paging))
            return true;
        bool isLongModeEnabled = Has(system.Efer, Efer.LongModeEnable);
        if (isPaging)
            return !isLongModeEnabled || (Has(system.Cr4, Cr4.PhysicalAddressExtension) && !system.Cs.Long);

        // Leaving long mode leads through compatibility mode; PCIDs exist only in it.
        return !Has(system.Cr4, Cr4.PcidEnable) && !(Has(system.Efer, Efer.LongModeActive) && system.Cs.Long);
    }

    /// <summary>Whether CR3 may be written.</summary>
    public static bool AllowsCr3(SystemState system, ProcessorFeatures features, ulong value)
    {
        if (Has(system.Cr4, Cr4.PcidEnable))
            value &= ~KeepTranslations;
        if (features.LinearAddressMasking)
            value &= ~UserMasking;
        return (value & features.PhysicalAddressReserved) == 0;
    }

    /// <summary>Whether CR4 may be written.</summary>
    public static bool AllowsCr4(SystemState system, ProcessorFeatures features, ulong value)
    {
        var wanted = (Cr4)value;
        Cr4 changed = wanted ^ system.Cr4;
        if ((wanted & ~features.Cr4Bits) != 0)
            return false;
        bool isLongMode = Has(system.Efer, Efer.LongModeActive);
        if (isLongMode && !Has(wanted, Cr4.PhysicalAddressExtension))
            return false;
        if (isLongMode && Has(changed, Cr4.LinearAddress57))
            return false;
        bool enablesPcid = Has(changed, Cr4.PcidEnable) && Has(wanted, Cr4.PcidEnable);
        return !enablesPcid || (isLongMode && (system.Cr3 & 0xFFF) == 0);
    }

    /// <summary>Whether IA32_EFER may be written. LMA in the value is ignored.</summary>
    public static bool AllowsEfer(SystemState system, ProcessorFeatures features, ulong value)
    {
        Efer bits = Efer.SyscallEnable | Efer.LongModeEnable | Efer.LongModeActive;
        if (features.NoExecute)
            bits |= Efer.NoExecuteEnable;
        var wanted = (Efer)value;
        if ((wanted & ~bits) != 0)
            return false;
        return !Has(system.Cr0, Cr0.Paging) || !Has(wanted ^ system.Efer, Efer.LongModeEnable);
    }

    private static bool Has(Cr0 value, Cr0 bit) => (value & bit) != 0;

    private static bool Has(Cr4 value, Cr4 bit) => (value & bit) != 0;

    private static bool Has(Efer value, Efer bit) => (value & bit) != 0;
}
