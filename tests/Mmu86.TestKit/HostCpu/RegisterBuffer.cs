using System.Runtime.CompilerServices;

namespace Mmu86.TestKit.HostCpu;

/// <summary>The sixteen general-purpose registers in the order of their encoding: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15.</summary>
[InlineArray(16)]
public struct RegisterBuffer
{
    private ulong _first;
}
