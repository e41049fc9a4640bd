using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Architecture only: the statistics are never read. The policy of the <c>fast</c> fidelity.</summary>
public readonly struct Uncounted : IExecutionPolicy
{
    /// <inheritdoc/>
    public static bool Observes => false;

    /// <inheritdoc/>
    public static bool Counts => false;

    /// <inheritdoc/>
    public static bool KeepsTime => false;

    /// <inheritdoc/>
    public void Translated(WalkTrace trace)
    {
    }

    /// <inheritdoc/>
    public void Walked(ReadOnlySpan<ulong> references)
    {
    }

    /// <inheritdoc/>
    public void WalkFailed(ReadOnlySpan<ulong> references)
    {
    }

    /// <inheritdoc/>
    public void Accessed(AccessKind kind, in Translation translation, TranslationHit hit)
    {
    }
}
