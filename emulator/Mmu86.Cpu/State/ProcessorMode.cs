namespace Mmu86.Cpu;

/// <summary>The operating mode. SDM 3, "Modes of Operation"; SDM 1, "Modes of Operation".</summary>
public enum ProcessorMode : byte
{
    /// <summary>64-bit mode: IA32_EFER.LMA=1 and CS.L=1.</summary>
    Long64 = 0,

    /// <summary>Compatibility mode: IA32_EFER.LMA=1 and CS.L=0.</summary>
    Compatibility = 1,

    /// <summary>Protected mode: CR0.PE=1, neither of the above, RFLAGS.VM=0.</summary>
    Protected = 2,

    /// <summary>Virtual-8086 mode: as protected mode with RFLAGS.VM=1.</summary>
    Virtual8086 = 3,

    /// <summary>Real-address mode: CR0.PE=0.</summary>
    Real = 4,
}
