using System.Runtime.CompilerServices;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Selectors of a case: CS, DS, ES, SS, FS, GS and two that are not used.</summary>
[InlineArray(8)]
public struct SelectorBuffer
{
    private ushort _first;
}
