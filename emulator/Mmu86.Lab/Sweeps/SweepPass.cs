namespace Mmu86.Lab.Sweeps;

/// <summary>One execution of the guest, and the machines that see it.</summary>
/// <param name="Run">The base run.</param>
/// <param name="IsFirst">Whether it is the first of its paging mode, which has the one-pass families too.</param>
/// <param name="Members">The machines, by their number in the grid.</param>
internal sealed record SweepPass(RunOptions Run, bool IsFirst, ReadOnlyMemory<int> Members)
{
    /// <summary>What it is called in a file of passes: unique in the sweep.</summary>
    public string Name => $"{Run.Paging.ToString().ToLowerInvariant()}:{(Members.IsEmpty ? "families" : Members.Span[0].ToString(System.Globalization.CultureInfo.InvariantCulture))}";
}
