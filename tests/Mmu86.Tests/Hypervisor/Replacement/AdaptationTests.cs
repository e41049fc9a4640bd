using Mmu86.Hypervisor.Replacement;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>Where a policy differs from its paper because hardware shows less than every reference, or a host knows more.</summary>
public sealed class AdaptationTests
{
    private readonly SettableFlags _flags = new();

    [Fact]
    public void Arc_FlagOfTheAccessThatFaulted_IsNoSecondUse()
    {
        IReplacementPolicy policy = Filled("arc", 4);
        Access(0, 1, 2, 3);
        Scan(policy, 1);
        Access(0);
        Scan(policy, 2);

        // 0 was used twice, the others once: they give way, in order.
        Assert.Equal([1UL, 2, 3, 0], Victims(policy, 4));
    }

    [Fact]
    public void Arc_ReturnOfAGhostThatNobodyAnnounced_TeachesAsMuch()
    {
        IReplacementPolicy announced = WithGhosts();
        IReplacementPolicy silent = WithGhosts();
        Assert.True(announced.TryChooseVictim(_flags, Frame(0), out _));
        announced.Removed(Frame(4), Removal.Evicted);
        silent.Removed(Frame(4), Removal.Evicted);
        announced.Inserted(Frame(0), Insertion.SwappedIn(4));
        silent.Inserted(Frame(0), Insertion.SwappedIn(4));
        Assert.Equal(Victims(announced, 4), Victims(silent, 4));

        IReplacementPolicy WithGhosts()
        {
            // One frame in the list of those used twice, so that the other list remembers what leaves it.
            IReplacementPolicy policy = Filled("arc", 4);
            Access(3);
            Scan(policy, 1);
            Access(3);
            Scan(policy, 2);
            foreach (ulong frame in (ulong[])[0, 1])
            {
                policy.Removed(Frame(frame), Removal.Evicted);
                policy.Inserted(Frame(frame + 4), Insertion.Populated);
            }

            return policy;
        }
    }

    [Theory]
    [InlineData("2q")]
    [InlineData("arc")]
    public void Ghost_ReadAhead_IsNotTakenForAReference(string name)
    {
        // Frame 0 falls out and returns; then all of memory but it comes in anew.
        Assert.True(Survives(Insertion.SwappedIn(1)));
        Assert.False(Survives(Insertion.ReadAhead(1)));

        bool Survives(Insertion how)
        {
            IReplacementPolicy policy = Filled(name, 8);
            policy.Removed(Frame(0), Removal.Evicted);
            policy.Inserted(Frame(0), how);
            for (ulong frame = 8; frame < 18; frame++)
            {
                Assert.True(policy.TryChooseVictim(_flags, Frame(frame), out GuestFrameNumber victim));
                policy.Removed(victim, Removal.Evicted);
                policy.Inserted(Frame(frame), Insertion.Populated);
            }

            return policy.IsResident(Frame(0));
        }
    }

    [Theory]
    [InlineData("2q")]
    [InlineData("arc")]
    public void Ghosts_OfFramesDiscarded_AreNone(string name)
    {
        IReplacementPolicy policy = Filled(name, 8);
        policy.Removed(Frame(0), Removal.Discarded);
        Assert.Equal(0, policy.GhostCount);
        policy.Removed(Frame(1), Removal.Evicted);
        Assert.Equal(1, policy.GhostCount);
    }

    [Fact]
    public void TwoQueue_FlagsOfTheFirstQueue_AreNeverCleared()
    {
        IReplacementPolicy policy = Filled("2q", 8);
        Access(0, 1, 2, 3, 4, 5, 6, 7);
        Scan(policy, 1);
        Assert.Equal([0UL, 1, 2], Victims(policy, 3));
        Assert.Equal(0, _flags.Tested);
    }

    [Fact]
    public void WsClock_FramesOutsideTheWindow_GiveWayCleanOnesFirst()
    {
        IReplacementPolicy policy = Filled("wsclock", 5);
        Access(0, 4);
        _flags.Dirty.UnionWith([Frame(1), Frame(2)]);
        policy.Tick(_flags, ReplacementOptions.DefaultWorkingSetNanoseconds + 1);

        // 0 is passed because it was used, 1 and 2 because they must be written, which begins.
        Assert.Equal([3UL], Victims(policy, 1));
        Assert.Equal([Frame(1), Frame(2)], _flags.Cleaned);
        _flags.Dirty.Clear();
        Assert.Equal([1UL, 2], Victims(policy, 2));
    }

    [Fact]
    public void WsClock_AllInTheWorkingSet_TakesTheOneUsedLongestAgoAndWritesNothing()
    {
        IReplacementPolicy policy = Filled("wsclock", 3);
        _flags.Dirty.Add(Frame(0));
        policy.Tick(_flags, 1000);
        policy.Inserted(Frame(3), Insertion.SwappedIn(9));
        policy.Tick(_flags, ReplacementOptions.DefaultWorkingSetNanoseconds);

        // Of those used at the same time clean ones go first; the one that came later stays, clean though it is.
        Assert.Equal([1UL, 2, 0, 3], Victims(policy, 4));
        Assert.Empty(_flags.Cleaned);
    }

    [Fact]
    public void MultiGeneration_ReturnWithinMemorysDistance_OutlivesOneFromFarAway()
    {
        IReplacementPolicy policy = WithGenerations();
        policy.Inserted(Frame(100), Insertion.SwappedIn(5));
        policy.Inserted(Frame(101), Insertion.SwappedIn(50));
        policy.Inserted(Frame(102), Insertion.ReadAhead(5));
        Assert.Equal([0UL, 1, 2, 3, 4, 5, 6, 7, 101, 102, 100], Victims(policy, 11));
    }

    [Fact]
    public void MultiGeneration_FrameFoundUsed_SavesItsUsedNeighbours()
    {
        IReplacementPolicy policy = WithGenerations();
        Access(0, 5, 7);

        // 0 is the oldest; looking at it shows that 5 and 7, in the same 64 frames, are used too.
        Assert.Equal([1UL], Victims(policy, 1));
        Assert.Equal([2UL, 3, 4, 6, 0, 5, 7], Victims(policy, 7));
    }

    [Fact]
    public void Lru_FrameUsedSinceItsScan_IsNotChosen()
    {
        IReplacementPolicy policy = Filled("lru", 3);
        for (int scan = 1; scan <= 8; scan++)
            Scan(policy, scan);
        Access(0);
        Assert.Equal([1UL, 2, 0], Victims(policy, 3));
    }

    [Theory]
    [InlineData("fifo")]
    [InlineData("clock")]
    [InlineData("lru")]
    [InlineData("2q")]
    [InlineData("arc")]
    [InlineData("wsclock")]
    [InlineData("mglru")]
    public void Frame_Unpinned_CountsAsJustUsed(string name)
    {
        IReplacementPolicy policy = Filled(name, 3);
        policy.Pin(Frame(0));
        policy.Unpin(Frame(0));
        Assert.Equal(0UL, Victims(policy, 3)[^1]);
    }

    private static GuestFrameNumber Frame(ulong number) => new(number);

    private static IReplacementPolicy Filled(string name, int frames)
    {
        IReplacementPolicy policy = PageReplacement.Find(name)!.Create(ReplacementOptions.Default(frames + 8, 1));
        for (int frame = 0; frame < frames; frame++)
            policy.Inserted(Frame((ulong)frame), Insertion.Populated);
        return policy;
    }

    // Eight frames that a scan has seen, and the most generations.
    private IReplacementPolicy WithGenerations()
    {
        IReplacementPolicy policy = Filled("mglru", 8);
        for (int scan = 1; scan <= 4; scan++)
            Scan(policy, scan);
        return policy;
    }

    private void Access(params ReadOnlySpan<ulong> frames)
    {
        foreach (ulong frame in frames)
            _flags.Accessed.Add(Frame(frame));
    }

    private void Scan(IReplacementPolicy policy, int number) =>
        policy.Tick(_flags, (ulong)number * ReplacementOptions.DefaultScanPeriodNanoseconds);

    private ulong[] Victims(IReplacementPolicy policy, int count)
    {
        var victims = new ulong[count];
        for (int at = 0; at < count; at++)
        {
            Assert.True(policy.TryChooseVictim(_flags, null, out GuestFrameNumber victim));
            policy.Removed(victim, Removal.Evicted);
            victims[at] = victim.Value;
        }

        return victims;
    }
}
