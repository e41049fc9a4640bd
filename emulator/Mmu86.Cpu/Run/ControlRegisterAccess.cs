namespace Mmu86.Cpu;

/// <summary>What an exit says of a control-register access. SDM 3, "Exit Qualification for Control-Register Accesses".</summary>
/// <param name="Register">0, 3 or 4.</param>
/// <param name="IsWrite">Whether it was written; else MOV from it.</param>
public readonly record struct ControlRegisterAccess(int Register, bool IsWrite)
{
    /// <summary>A MOV to CR3 with bit 63 set while CR4.PCIDE=1: no translation need be forgotten.</summary>
    public bool KeepsTranslations { get; init; }
}
