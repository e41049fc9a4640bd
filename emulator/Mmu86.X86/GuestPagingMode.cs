namespace Mmu86.X86;

/// <summary>How linear addresses are translated. SDM 3, "Paging Modes and Control Bits".</summary>
public enum GuestPagingMode : byte
{
    /// <summary>CR0.PG=0: linear addresses are physical addresses.</summary>
    None = 0,

    /// <summary>32-bit paging: CR4.PAE=0.</summary>
    Bits32,

    /// <summary>PAE paging: CR4.PAE=1, IA32_EFER.LME=0.</summary>
    Pae,

    /// <summary>4-level paging: CR4.PAE=1, IA32_EFER.LME=1, CR4.LA57=0.</summary>
    FourLevel,

    /// <summary>5-level paging: CR4.PAE=1, IA32_EFER.LME=1, CR4.LA57=1.</summary>
    FiveLevel,
}
