using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Every translation is handed to an observer, with every reference of its walk.</summary>
/// <param name="observer">Who is told.</param>
public readonly struct Observed(ITranslationObserver observer) : IExecutionPolicy
{
    /// <inheritdoc/>
    public static bool Observes => true;

    /// <inheritdoc/>
    public static bool Counts => true;

    /// <inheritdoc/>
    public static bool KeepsTime => false;

    /// <inheritdoc/>
    public void Translated(WalkTrace trace) => observer.Translated(trace);

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
