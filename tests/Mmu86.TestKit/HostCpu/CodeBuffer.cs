using System.Runtime.CompilerServices;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Room for the instructions of a case.</summary>
[InlineArray(CodeBuffer.Bytes)]
public struct CodeBuffer
{
    /// <summary>Bytes of code in a case at most.</summary>
    public const int Bytes = 64;

    private byte _first;
}
