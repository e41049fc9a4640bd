using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Timing;

/// <summary>Exact statistics and time: the policy of the fidelity <c>cycles</c>.</summary>
/// <param name="model">Who keeps it.</param>
public readonly struct Timed(TimingModel model) : IExecutionPolicy
{
    /// <inheritdoc/>
    public static bool Observes => false;

    /// <inheritdoc/>
    public static bool Counts => true;

    /// <inheritdoc/>
    public static bool KeepsTime => true;

    /// <inheritdoc/>
    public void Translated(WalkTrace trace)
    {
    }

    /// <inheritdoc/>
    public void Walked(ReadOnlySpan<ulong> references) => model.Walked(references);

    /// <inheritdoc/>
    public void WalkFailed(ReadOnlySpan<ulong> references) => model.WalkFailed(references);

    /// <inheritdoc/>
    public void Accessed(AccessKind kind, in Translation translation, TranslationHit hit) => model.Accessed(kind, translation, hit);
}
