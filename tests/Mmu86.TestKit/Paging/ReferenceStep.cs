using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>One reference of a walk: one read of one paging entry.</summary>
/// <param name="Dimension">Guest table or EPT.</param>
/// <param name="Level">4 for a PML4E down to 1 for a PTE.</param>
/// <param name="Address">Where the entry lies in host memory.</param>
/// <param name="Value">What was read.</param>
public readonly record struct ReferenceStep(WalkDimension Dimension, int Level, HostPhysicalAddress Address, ulong Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Dimension} level {Level} {Address} = 0x{Value:x16}";
}
