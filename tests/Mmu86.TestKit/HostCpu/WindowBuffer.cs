using System.Runtime.CompilerServices;

namespace Mmu86.TestKit.HostCpu;

/// <summary>The content of the window.</summary>
[InlineArray(WindowBuffer.Bytes)]
public struct WindowBuffer
{
    /// <summary>Bytes of a window.</summary>
    public const int Bytes = 256;

    private byte _first;
}
