using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>Which way gives way.</summary>
public sealed class ReplacementTests : IDisposable
{
    private readonly Arena _arena = new();

    [Theory]
    [InlineData(Replacement.Lru, 5)]
    [InlineData(Replacement.TreePlru, 8)]
    [InlineData(Replacement.TreePlru, 1)]
    [InlineData(Replacement.TreePlru, 64)]
    [InlineData(Replacement.Mru3Plru, 3)]
    [InlineData(Replacement.Mru3Plru, 12)]
    [InlineData(Replacement.Mru3Plru, 48)]
    [InlineData(Replacement.Fifo, 4)]
    [InlineData(Replacement.Random, 4)]
    [InlineData(Replacement.Nru, 1)]
    [InlineData(Replacement.Nru, 6)]
    [InlineData(Replacement.Srrip, 1)]
    [InlineData(Replacement.Srrip, 8)]
    public void Touch_MostRecentWayAgain_ChangesNoVictim(Replacement policy, int ways)
    {
        // Two equal histories, in one of which each touch is made twice: what the filter relies on.
        ReplacementState once = Create(policy, ways);
        ReplacementState twice = Create(policy, ways);
        var random = new Random(7);
        for (int step = 0; step < 2000; step++)
        {
            int way = random.Next(ways);
            once.Touch(0, way);
            twice.Touch(0, way);
            twice.Touch(0, way);
            if (step % 3 != 0)
                continue;
            int victim = once.Victim(0);
            Assert.Equal(victim, twice.Victim(0));
            Assert.InRange(victim, 0, ways - 1);
            once.Fill(0, victim);
            twice.Fill(0, victim);
        }
    }

    [Fact]
    public void Lru_AnyHistory_ChoosesTheWayUnusedLongest()
    {
        ReplacementState state = Create(Replacement.Lru, 6);
        List<int> byAge = [0, 1, 2, 3, 4, 5];
        foreach (int way in byAge)
            state.Fill(0, way);
        var random = new Random(3);
        for (int step = 0; step < 500; step++)
        {
            int way = random.Next(6);
            state.Touch(0, way);
            byAge.Remove(way);
            byAge.Add(way);
            Assert.Equal(byAge[0], state.Victim(0));
        }
    }

    [Fact]
    public void Fifo_Touched_KeepsTheOrderOfFills()
    {
        ReplacementState state = Create(Replacement.Fifo, 4);
        foreach (int way in new[] { 2, 0, 3, 1 })
            state.Fill(0, way);
        state.Touch(0, 2);
        Assert.Equal(2, state.Victim(0));
        state.Fill(0, 2);
        Assert.Equal(0, state.Victim(0));
    }

    [Fact]
    public void TreePlru_FourWays_FollowsThePointersAwayFromWhatWasUsed()
    {
        ReplacementState state = Create(Replacement.TreePlru, 4);
        for (int way = 0; way < 4; way++)
            state.Fill(0, way);
        // After 0 1 2 3 the root points left, and on the left 1 was used last.
        Assert.Equal(0, state.Victim(0));
        state.Touch(0, 0);
        // Root right; on the right 3 was used last.
        Assert.Equal(2, state.Victim(0));
        state.Touch(0, 2);
        // Root left; on the left 0 was used last.
        Assert.Equal(1, state.Victim(0));
        state.Touch(0, 1);
        Assert.Equal(3, state.Victim(0));
        // True LRU would have said 3 after "0 2 1" too, but not 0 after this.
        state.Touch(0, 3);
        Assert.Equal(0, state.Victim(0));
    }

    [Fact]
    public void Mru3Plru_VictimGroup_IsTheOneAfterTheGroupUsedLast()
    {
        ReplacementState state = Create(Replacement.Mru3Plru, 12);
        for (int way = 0; way < 12; way++)
            state.Fill(0, way);
        foreach ((int touched, int group) in new[] { (0, 1), (5, 2), (11, 0), (3, 1) })
        {
            state.Touch(0, touched);
            Assert.Equal(group, state.Victim(0) / 4);
        }

        // Within a group it is a tree of its own: 4 then 6 were used last in group 1.
        state.Touch(0, 4);
        state.Touch(0, 6);
        state.Touch(0, 0);
        Assert.Equal(5, state.Victim(0));
    }

    [Fact]
    public void Random_SameSeed_ChoosesTheSameWays()
    {
        ReplacementState a = Create(Replacement.Random, 7);
        ReplacementState b = Create(Replacement.Random, 7);
        int[] seen = new int[7];
        for (int i = 0; i < 700; i++)
        {
            int victim = a.Victim(0);
            Assert.Equal(victim, b.Victim(0));
            seen[victim]++;
        }

        Assert.All(seen, count => Assert.InRange(count, 50, 150));
    }

    [Fact]
    public void Nru_LastBitSet_ClearsTheOthers()
    {
        ReplacementState state = Create(Replacement.Nru, 4);
        foreach (int way in new[] { 0, 2, 1 })
            state.Fill(0, way);
        Assert.Equal(3, state.Victim(0));
        state.Fill(0, 3);
        Assert.Equal(0, state.Victim(0));
        state.Touch(0, 0);
        Assert.Equal(1, state.Victim(0));
    }

    [Fact]
    public void Srrip_AnyHistory_DoesAsThePaperHasIt()
    {
        ReplacementState state = Create(Replacement.Srrip, 5);
        var reference = new ReferenceSrrip(5);
        var random = new Random(11);
        for (int way = 0; way < 5; way++)
        {
            state.Fill(0, way);
            reference.Filled(way);
        }

        for (int step = 0; step < 3000; step++)
        {
            int way = random.Next(5);
            if (random.Next(3) != 0)
            {
                state.Touch(0, way);
                reference.Hit(way);
                continue;
            }

            int victim = state.Victim(0);
            Assert.Equal(reference.Victim(), victim);
            state.Fill(0, victim);
            reference.Filled(victim);
        }
    }

    [Fact]
    public void Srrip_FilledAndNeverHit_GoesBeforeWhatWasHitLongAgo()
    {
        ReplacementState state = Create(Replacement.Srrip, 3);
        for (int way = 0; way < 3; way++)
            state.Fill(0, way);
        state.Touch(0, 0);
        state.Touch(0, 1);
        Assert.Equal(2, state.Victim(0));
        state.Fill(0, 2);
        Assert.Equal(2, state.Victim(0));
    }

    [Theory]
    [InlineData(Replacement.Lru, 1)]
    [InlineData(Replacement.Lru, 7)]
    [InlineData(Replacement.Fifo, 6)]
    [InlineData(Replacement.TreePlru, 4)]
    [InlineData(Replacement.TreePlru, 8)]
    [InlineData(Replacement.TreePlru, 16)]
    public void Permutation_VectorsOfAPolicy_DoesAsThePolicyDoes(Replacement policy, int ways)
    {
        // Which way holds what may differ, so what is compared is what they hold: numbers, each once.
        ReplacementState native = Create(policy, ways);
        ReplacementState permuted = Create(Replacement.Permutation, ways, PermutationVectors.Of(policy, ways));
        int[] nativeHeld = new int[ways];
        int[] permutedHeld = new int[ways];
        int next = 0;
        for (int way = 0; way < ways; way++)
            Fill(way, way);
        // As many misses as there are ways bring any two states of one policy together.
        for (int i = 0; i < ways; i++)
            Fill(native.Victim(0), permuted.Victim(0));

        var random = new Random(5);
        for (int step = 0; step < 5000; step++)
        {
            int victim = native.Victim(0);
            int permutedVictim = permuted.Victim(0);
            Assert.Equal(nativeHeld[victim], permutedHeld[permutedVictim]);
            int way = random.Next(ways);
            int same = Array.IndexOf(permutedHeld, nativeHeld[way]);
            switch (random.Next(8))
            {
                case 0 or 1:
                    Fill(victim, permutedVictim);
                    break;
                case 2:
                    // A way that an invalidation emptied.
                    Fill(way, same);
                    break;
                default:
                    native.Touch(0, way);
                    permuted.Touch(0, same);
                    break;
            }
        }

        void Fill(int way, int other)
        {
            nativeHeld[way] = next;
            permutedHeld[other] = next++;
            native.Fill(0, way);
            permuted.Fill(0, other);
        }
    }

    [Fact]
    public void PermutationVectors_KnownPolicies_AreWhatTheirDefinitionsSay()
    {
        // A hit leaves FIFO as it is, takes LRU's to the end, and in a tree turns every node on its way.
        Assert.Equal("012 012 012 120", Of(Replacement.Fifo, 3));
        Assert.Equal("120 021 012 120", Of(Replacement.Lru, 3));
        Assert.Equal("1230 0321 1032 0123 1230", Of(Replacement.TreePlru, 4));

        static string Of(Replacement policy, int ways) => string.Join(' ', PermutationVectors.Of(policy, ways).Select(vector => string.Concat(vector)));
    }

    [Fact]
    public void IsSettled_PoliciesAsVectors_AreAllButOneThatMovesItsLastUse()
    {
        Assert.True(PermutationOrder.IsSettled(PermutationVectors.Of(Replacement.Lru, 5)));
        Assert.True(PermutationOrder.IsSettled(PermutationVectors.Of(Replacement.Fifo, 5)));
        Assert.True(PermutationOrder.IsSettled(PermutationVectors.Of(Replacement.TreePlru, 8)));
        // A hit climbs one position at a time, so hitting again climbs again.
        Assert.False(PermutationOrder.IsSettled([[1, 0, 2], [0, 2, 1], [0, 1, 2], [0, 1, 2]]));
    }

    public void Dispose() => _arena.Dispose();

    private unsafe ReplacementState Create(Replacement policy, int ways, IReadOnlyList<IReadOnlyList<int>>? permutations = null)
    {
        ReplacementState state = default;
        TlbArrayConfiguration array = Machines.Array("any", ["4k"], 1, ways, policy) with { Permutations = permutations };
        state.Initialize(_arena, array, 1, ways, (ways + 3) / 4 * 4, seed: 5, skew: null);
        return state;
    }
}
