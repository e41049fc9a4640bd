namespace Mmu86.Cpu;

/// <summary>What an exit says of a control-register access. SDM 3, "Exit Qualification for Control-Register Accesses".</summary>
/// <param name="Register">0, 3 or 4.</param>
/// <param name="IsWrite">Whether it was written; else MOV from it.</param>
public readonly record struct ControlRegisterAccess(int Register, bool IsWrite);
