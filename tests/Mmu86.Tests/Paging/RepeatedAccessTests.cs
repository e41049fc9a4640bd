using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>When accesses in turn may be counted without being made: string instructions rely on it.</summary>
public sealed class RepeatedAccessTests
{
    private const ulong From = 0x40_0000;
    private const ulong To = 0x41_0000;
    private const ulong DataPage = PagingEntry.Present | PagingEntry.Writable;

    [Fact]
    public void TryRepeat_BothPagesOfASetResident_AnswersAndCountsAsLookupsWould()
    {
        using World world = MakeWorld();
        using World other = MakeWorld();
        IMmu repeated = world.Mmu(Machines.Skylake);
        IMmu made = other.Mmu(Machines.Skylake);
        MakePair(repeated);
        MakePair(made);

        Assert.True(repeated.TryRepeat(new LinearAddress(From + 8), AccessKind.Read, AccessMode.Supervisor, out Translation from));
        Assert.True(repeated.TryRepeat(new LinearAddress(To + 8), AccessKind.Write, AccessMode.Supervisor, out Translation to));
        Assert.Equal((0x8008UL, 0x9008UL), (from.Address.Value, to.Address.Value));
        repeated.CountRepeated(new LinearAddress(From), 3);
        repeated.CountRepeated(new LinearAddress(To), 3);
        for (int i = 0; i < 3; i++)
            MakePair(made);

        Assert.Equal(StatisticsText.Of(made.Snapshot(8, 0)), StatisticsText.Of(repeated.Snapshot(8, 0)));
    }

    [Fact]
    public void TryRepeat_EvictedByTheOther_Refuses()
    {
        using World world = MakeWorld();
        IMmu mmu = world.Mmu(Machines.Skylake with { L1Data = Machines.Level(Machines.Array("l1d", ["4k"], 16, 1, Replacement.Lru)) });
        MakePair(mmu);

        Assert.False(mmu.TryRepeat(new LinearAddress(From), AccessKind.Read, AccessMode.Supervisor, out _));
        Assert.True(mmu.TryRepeat(new LinearAddress(To), AccessKind.Write, AccessMode.Supervisor, out _));
    }

    [Fact]
    public void TryRepeat_WriteToAPageNotYetDirty_Refuses()
    {
        using World world = MakeWorld();
        IMmu mmu = world.Mmu(Machines.Skylake);
        MakePair(mmu);

        Assert.False(mmu.TryRepeat(new LinearAddress(From), AccessKind.Write, AccessMode.Supervisor, out _));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TryRepeat_EveryAccessMustBeLookedUp_Refuses(bool isObserved)
    {
        using World world = MakeWorld();
        IMmu mmu = isObserved
            ? world.Mmu(Machines.Skylake, new Observed(new SilentObserver()))
            : world.Mmu(Machines.Skylake with { LookUpEveryAccess = true });
        MakePair(mmu);

        Assert.False(mmu.TryRepeat(new LinearAddress(To), AccessKind.Write, AccessMode.Supervisor, out _));
    }

    private static World MakeWorld()
    {
        var world = new World();
        world.Map(From, 0x8000, PageSize.Size4K, DataPage);
        world.Map(To, 0x9000, PageSize.Size4K, DataPage);
        return world;
    }

    private static void MakePair(IMmu mmu)
    {
        Assert.True(mmu.TryTranslate(new LinearAddress(From), AccessKind.Read, AccessMode.Supervisor, out _));
        Assert.True(mmu.TryTranslate(new LinearAddress(To), AccessKind.Write, AccessMode.Supervisor, out _));
    }

    private sealed class SilentObserver : ITranslationObserver
    {
        public void Translated(WalkTrace trace)
        {
        }
    }
}
