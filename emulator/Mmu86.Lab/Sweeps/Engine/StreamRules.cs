using Mmu86.Lab.Machines;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Which lookups may be taken together for a set of machines.</summary>
internal static class StreamRules
{
    /// <summary>The coarsest recording that is exact for every machine.</summary>
    /// <param name="recorded">The base machine.</param>
    /// <param name="members">The machines that will see the stream.</param>
    public static RecordedRuns RunsFor(MachineDescription recorded, IEnumerable<MachineDescription> members) =>
        Allows(recorded.Mmu, recorded.Mmu) && members.All(member => Allows(recorded.Mmu, member.Mmu)) ? RecordedRuns.ByKind : RecordedRuns.Strict;

    /// <summary>The recording that serves both.</summary>
    public static RecordedRuns Stricter(RecordedRuns one, RecordedRuns other) =>
        one == RecordedRuns.Strict || other == RecordedRuns.Strict ? RecordedRuns.Strict : RecordedRuns.ByKind;

    // A repeated touch of a page must be a hit that changes nothing: so a first level must hold whatever page there is, in entries of the
    // size that the base machine counts, and nobody else may take its entries away. Where loads and stores have arrays of their own, a load
    // behind a store of the same page is no repeated touch.
    private static bool Allows(MmuDescription recorded, MmuDescription member) =>
        Sizes(member.L1Data).SetEquals(Sizes(recorded.L1Data))
        && Sizes(member.L1Instruction).SetEquals(Sizes(recorded.L1Instruction))
        && Sizes(member.L1Data).Contains("4k")
        && Sizes(member.L1Instruction).Contains("4k")
        && member.L2.Inclusion is not Inclusion.Inclusive
        && member.L2Instruction?.Inclusion is not Inclusion.Inclusive
        && member.L1Data.Arrays.All(array => array.Serves is null);

    private static HashSet<string> Sizes(TlbLevelConfiguration level) => [.. level.Arrays.SelectMany(array => array.PageSizes)];
}
