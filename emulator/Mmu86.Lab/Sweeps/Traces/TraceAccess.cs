using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>One access of a trace.</summary>
/// <param name="Kind">What it does. A read-modify-write is a write; a fetch begins an instruction.</param>
/// <param name="Address">Its first byte.</param>
/// <param name="Size">Its length in bytes, 1 to <see cref="LargestSize"/>.</param>
public readonly record struct TraceAccess(AccessKind Kind, ulong Address, int Size)
{
    /// <summary>The most bytes: more than any instruction accesses at once, and so few that two pages hold them.</summary>
    public const int LargestSize = 4096;
}
