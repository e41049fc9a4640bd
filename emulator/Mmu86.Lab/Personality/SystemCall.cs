namespace Mmu86.Lab.Personality;

/// <summary>A system call as SYSCALL found it. System V ABI, AMD64 supplement, "Linux Conventions".</summary>
/// <param name="Number">RAX.</param>
/// <param name="Argument0">RDI.</param>
/// <param name="Argument1">RSI.</param>
/// <param name="Argument2">RDX.</param>
/// <param name="Argument3">R10.</param>
/// <param name="Argument4">R8.</param>
/// <param name="Argument5">R9.</param>
public readonly record struct SystemCall(
    ulong Number, ulong Argument0, ulong Argument1, ulong Argument2, ulong Argument3, ulong Argument4, ulong Argument5);
