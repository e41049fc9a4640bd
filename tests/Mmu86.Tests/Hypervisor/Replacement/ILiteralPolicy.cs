namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>A policy as its paper has it: it sees every reference. Slow, and written from the paper alone.</summary>
internal interface ILiteralPolicy
{
    /// <summary>A reference.</summary>
    /// <returns>The page evicted by it, or -1.</returns>
    int Access(int page);
}
