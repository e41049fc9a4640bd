using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Timing;

/// <summary>Time is kept, and every translation is handed to an observer with what its walk cost.</summary>
/// <param name="model">Who keeps it.</param>
/// <param name="observer">Who is told.</param>
public readonly struct ObservedAndTimed(TimingModel model, ITranslationObserver observer) : IExecutionPolicy
{
    /// <inheritdoc/>
    public static bool Observes => true;

    /// <inheritdoc/>
    public static bool Counts => true;

    /// <inheritdoc/>
    public static bool KeepsTime => true;

    /// <inheritdoc/>
    public void Translated(WalkTrace trace) => observer.Translated(model.Priced(trace));

    /// <inheritdoc/>
    public void Walked(ReadOnlySpan<ulong> references) => model.Walked(references);

    /// <inheritdoc/>
    public void WalkFailed(ReadOnlySpan<ulong> references) => model.WalkFailed(references);

    /// <inheritdoc/>
    public void Accessed(AccessKind kind, in Translation translation, TranslationHit hit) => model.Accessed(kind, translation, hit);
}
