using Mmu86.X86;

namespace Mmu86.TestKit.Machines;

/// <summary>What the delivery of an event leaves on the stack. SDM 3, "64-Bit Mode Stack Frame".</summary>
/// <param name="ErrorCode">Null where the vector has none.</param>
/// <param name="Rip">Where the handler returns to.</param>
/// <param name="Cs">The interrupted code segment.</param>
/// <param name="Flags">RFLAGS as pushed.</param>
/// <param name="Rsp">The interrupted stack pointer.</param>
/// <param name="Ss">The interrupted stack segment.</param>
public readonly record struct EventFrame(ulong? ErrorCode, ulong Rip, ushort Cs, RFlags Flags, ulong Rsp, ushort Ss);
