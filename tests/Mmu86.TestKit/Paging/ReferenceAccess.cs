using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>One access to judge.</summary>
public readonly record struct ReferenceAccess(LinearAddress Linear, AccessKind Kind, AccessMode Mode)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Mode} {Kind} {Linear}";
}
