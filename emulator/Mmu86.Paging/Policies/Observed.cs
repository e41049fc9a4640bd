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
    public void Translated(WalkTrace trace) => observer.Translated(trace);
}
