namespace Mmu86.Paging;

/// <summary>Exact statistics, nothing handed out: the policy of ordinary runs.</summary>
public readonly struct Unobserved : IExecutionPolicy
{
    /// <inheritdoc/>
    public static bool Observes => false;

    /// <inheritdoc/>
    public static bool Counts => true;

    /// <inheritdoc/>
    public void Translated(WalkTrace trace)
    {
    }
}
