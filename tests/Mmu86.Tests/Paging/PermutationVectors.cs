using Mmu86.Paging;
using Mmu86.TestKit.Paging;

namespace Mmu86.Tests.Paging;

/// <summary>Derives the permutations of a policy from its literal model, by trying it.</summary>
internal static class PermutationVectors
{
    /// <summary>The n + 1 permutations of a policy of n ways.</summary>
    public static IReadOnlyList<IReadOnlyList<int>> Of(Replacement policy, int ways)
    {
        var vectors = new List<IReadOnlyList<int>>();
        for (int position = 0; position < ways; position++)
        {
            int[] order = Order(policy, ways, []);
            int way = order[position];
            vectors.Add(Vector(order, Order(policy, ways, [set => set.Hit(way)])));
        }

        int[] before = Order(policy, ways, []);
        vectors.Add(Vector(before, Order(policy, ways, [set => set.Filled(before[0])])));
        return vectors;
    }

    // Positions are the order in which misses alone would empty the set.
    private static int[] Order(Replacement policy, int ways, Action<IReferencePolicy>[] uses)
    {
        IReferencePolicy set = policy switch
        {
            Replacement.Lru => new ReferenceLru(ways),
            Replacement.Fifo => new ReferenceFifo(ways),
            _ => new ReferenceTreePlru(ways),
        };
        for (int way = 0; way < ways; way++)
            set.Filled(way);
        foreach (Action<IReferencePolicy> use in uses)
            use(set);
        var order = new List<int>();
        for (int i = 0; i < ways; i++)
        {
            order.Add(set.Victim());
            set.Filled(order[^1]);
        }

        return [.. order];
    }

    private static IReadOnlyList<int> Vector(int[] before, int[] after) => [.. after.Select(way => Array.IndexOf(before, way))];
}
