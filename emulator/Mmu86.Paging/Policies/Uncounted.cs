namespace Mmu86.Paging;

/// <summary>Architecture only: the statistics are never read. The policy of the <c>fast</c> fidelity.</summary>
public readonly struct Uncounted : IExecutionPolicy
{
    /// <inheritdoc/>
    public static bool Observes => false;

    /// <inheritdoc/>
    public static bool Counts => false;

    /// <inheritdoc/>
    public void Translated(WalkTrace trace)
    {
    }
}
