namespace Mmu86.Paging;

/// <summary>What is done with the facts that the MMU states: nothing, counting, observing. Chosen once, when a machine is built.</summary>
/// <remarks>
/// Implementations are <c>readonly struct</c>s whose state lives in a class they point to. The static members are constants of the
/// specialised code: a branch on them that is not taken is not compiled. Timing gets its place here when a cycle model needs it.
/// </remarks>
public interface IExecutionPolicy
{
    /// <summary>Whether <see cref="Translated"/> is called for every translation. Such an MMU looks every access up: the filter stays empty.</summary>
    static abstract bool Observes { get; }

    /// <summary>Whether the statistics are going to be read. Where not, the filter serves all page sizes at once.</summary>
    static abstract bool Counts { get; }

    /// <summary>A translation was made, or failed. Called only where <see cref="Observes"/> is true.</summary>
    void Translated(WalkTrace trace);
}
