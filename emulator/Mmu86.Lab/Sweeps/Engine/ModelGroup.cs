using Mmu86.Lab.Machines;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Neighbouring machines of a pass that one thread simulates.</summary>
/// <param name="First">The position of its first machine in the pass.</param>
/// <param name="Count">How many it has.</param>
/// <param name="Consumer">Its machines.</param>
internal sealed record ModelGroup(int First, int Count, ModelConsumer Consumer)
{
    /// <summary>Shares machines out.</summary>
    /// <param name="memoryBytes">The size of the recorded host's memory.</param>
    /// <param name="members">The machines.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="runs">How the run is recorded.</param>
    /// <param name="groups">How many groups, unless there are fewer machines.</param>
    public static ModelGroup[] Split(ulong memoryBytes, IReadOnlyList<MachineDescription> members, ulong seed, RecordedRuns runs, int groups)
    {
        int count = Math.Min(groups, members.Count);
        var result = new ModelGroup[count];
        for (int i = 0; i < count; i++)
        {
            int first = members.Count * i / count;
            int end = members.Count * (i + 1) / count;
            result[i] = new ModelGroup(first, end - first, new ModelConsumer(memoryBytes, SharedSimulation.Plan([.. members.Skip(first).Take(end - first)], seed, runs)));
        }

        return result;
    }

    /// <summary>What a machine of the pass counted.</summary>
    public static MmuStatistics Statistics(ModelGroup[] groups, int member)
    {
        ModelGroup group = groups.First(group => member >= group.First && member < group.First + group.Count);
        return group.Consumer.Statistics(member - group.First);
    }
}
