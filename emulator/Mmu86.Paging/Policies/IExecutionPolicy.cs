using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What is done with the facts that the MMU states: nothing, counting, observing, keeping time. Chosen once, when a machine is built.</summary>
/// <remarks>
/// Implementations are <c>readonly struct</c>s whose state lives in a class they point to. The static members are constants of the
/// specialised code: a branch on them that is not taken is not compiled.
/// </remarks>
public interface IExecutionPolicy
{
    /// <summary>Whether <see cref="Translated"/> is called for every translation. Such an MMU looks every access up: the filter stays empty.</summary>
    static abstract bool Observes { get; }

    /// <summary>Whether the statistics are going to be read. Where not, the filter serves all page sizes at once.</summary>
    static abstract bool Counts { get; }

    /// <summary>Whether the four methods of timing are called. Such an MMU looks every access up: the filter stays empty.</summary>
    static abstract bool KeepsTime { get; }

    /// <summary>A translation was made, or failed. Called only where <see cref="Observes"/> is true, behind the methods of timing.</summary>
    void Translated(WalkTrace trace);

    /// <summary>Timing: a walk ended in a translation; <see cref="Accessed"/> follows.</summary>
    /// <param name="references">Host-physical addresses of the entries that it read, in order.</param>
    void Walked(ReadOnlySpan<ulong> references);

    /// <summary>Timing: a walk ended in a fault or a VM exit.</summary>
    /// <param name="references">As for <see cref="Walked"/>.</param>
    void WalkFailed(ReadOnlySpan<ulong> references);

    /// <summary>Timing: a lookup ended in a translation, and the access itself is made.</summary>
    /// <param name="kind">What the access does.</param>
    /// <param name="translation">Where its first byte in this page lies.</param>
    /// <param name="hit">Which TLB answered; none where the tables were walked.</param>
    void Accessed(AccessKind kind, in Translation translation, TranslationHit hit);
}
