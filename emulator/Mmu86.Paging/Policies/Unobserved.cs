using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Exact statistics, nothing handed out: the policy of ordinary runs.</summary>
public readonly struct Unobserved : IExecutionPolicy
{
    /// <inheritdoc/>
    public static bool Observes => false;

    /// <inheritdoc/>
    public static bool Counts => true;

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
