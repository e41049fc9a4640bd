using System.Text.Json;
using Mmu86.Lab.Machines;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Which machines have TLB levels in common, so that those need be simulated only once.</summary>
internal static class SharedSimulation
{
    /// <summary>Chooses a front for each machine.</summary>
    /// <param name="machines">The machines.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="runs">How the run is recorded. Only where a repeated touch of a page is a hit of any first level can levels be shared.</param>
    public static IReadOnlyList<ReplayMember> Plan(IReadOnlyList<MachineDescription> machines, ulong seed, RecordedRuns runs)
    {
        Dictionary<string, int> byFirst = [];
        Dictionary<string, int> byBoth = [];
        var members = new ReplayMember[machines.Count];
        for (int i = 0; i < members.Length; i++)
        {
            MmuDescription mmu = machines[i].Mmu;
            MmuConfiguration configuration = machines[i].ToMmuConfiguration(seed);
            members[i] = new ReplayMember(configuration, i, SharedLevels.None);
            if (runs == RecordedRuns.Strict || !IsOneWay(mmu))
                continue;
            string first = $"{Text(mmu.L1Instruction)}{Text(mmu.L1Data)}";
            string both = $"{first}{Text(mmu.L2)}{(mmu.L2Instruction is { } l2Instruction ? Text(l2Instruction) : "")}";
            // A prefetcher makes walks and entries of the second level depend on each other.
            if (mmu.Prefetch is null && byBoth.TryGetValue(both, out int sameBoth))
                members[i] = new ReplayMember(configuration, sameBoth, SharedLevels.Both);
            else if (!Coalesces(mmu) && byFirst.TryGetValue(first, out int sameFirst))
                members[i] = new ReplayMember(configuration, sameFirst, SharedLevels.First);
            else if (mmu.Prefetch is null)
                byBoth.Add(both, i);
            if (!Coalesces(mmu))
                byFirst.TryAdd(first, i);
        }

        return members;
    }

    // Entries come into a level by its own misses alone, and nothing below takes any out of it. Random replacement draws from one
    // sequence an array, so it may be shared like any other.
    private static bool IsOneWay(MmuDescription mmu) => mmu.L2.Inclusion is null or Inclusion.NonInclusive && mmu.L2Instruction?.Inclusion is null or Inclusion.NonInclusive;

    // A page comes up from the second level as it is held there: in an entry of its own, or with its neighbours and a dirty flag that all of them had.
    // So what a first level holds is not its own misses' affair alone.
    private static bool Coalesces(MmuDescription mmu) => new[] { mmu.L1Instruction, mmu.L1Data, mmu.L2, mmu.L2Instruction }
        .Any(level => level is not null && level.Arrays.Any(array => array.CoalescedPages is not null));

    private static string Text(TlbLevelConfiguration level) => JsonSerializer.Serialize(level, MachineJsonContext.Default.TlbLevelConfiguration);
}
