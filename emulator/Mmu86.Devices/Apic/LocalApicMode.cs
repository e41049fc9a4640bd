namespace Mmu86.Devices;

/// <summary>How a local APIC is reached: bits 11 and 10 of IA32_APIC_BASE. SDM 3, "Detecting and Enabling x2APIC Mode".</summary>
public enum LocalApicMode
{
    /// <summary>Off: as if the processor had none.</summary>
    Disabled,

    /// <summary>xAPIC: in memory.</summary>
    Memory,

    /// <summary>x2APIC: in model-specific registers.</summary>
    Registers,
}
