using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>How many entries a walk reads: (g+1)(h+1)-1 where nothing is cached.</summary>
public sealed class WalkReferencesTests
{
    private const ulong Linear = 0x7F12_4000_0000;
    private const ulong UserPage = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    [Theory]
    [InlineData(PageSize.Size4K, 4)]
    [InlineData(PageSize.Size2M, 3)]
    [InlineData(PageSize.Size1G, 2)]
    public void Walk_NativeWithoutCaches_ReadsOneEntryPerLevel(PageSize size, int references)
    {
        using var world = new World();
        world.Map(Linear, 0, size, UserPage);
        Assert.Equal(references, Count(world, world.Context, Linear));
    }

    [Theory]
    [InlineData(PageSize.Size4K, PageSize.Size4K, 24)]
    [InlineData(PageSize.Size4K, PageSize.Size2M, 19)]
    [InlineData(PageSize.Size2M, PageSize.Size4K, 19)]
    [InlineData(PageSize.Size2M, PageSize.Size2M, 15)]
    [InlineData(PageSize.Size1G, PageSize.Size1G, 8)]
    [InlineData(PageSize.Size4K, PageSize.Size1G, 14)]
    [InlineData(PageSize.Size1G, PageSize.Size4K, 14)]
    public void Walk_NestedWithoutCaches_ReadsTheProductOfBothDimensions(PageSize guest, PageSize ept, int references)
    {
        using var world = new World(nested: true, ept);
        world.Map(Linear, 0, guest, UserPage);
        Assert.Equal(references, Count(world, world.Context, Linear));
    }

    [Fact]
    public void Walk_PagingOffUnderEpt_ReadsFourEntries()
    {
        using var world = new World(nested: true);
        Assert.Equal(4, Count(world, world.Context with { Cr0 = Cr0.ProtectionEnable }, 0x5000));
    }

    [Fact]
    public void Walk_PagingOffNative_ReadsNothing()
    {
        using var world = new World();
        Assert.Equal(0, Count(world, world.Context with { Cr0 = Cr0.ProtectionEnable }, 0x5000));
    }

    [Fact]
    public void Walk_NestedWithWarmPdeCacheAndNestedTlb_ReadsOneGuestEntry()
    {
        using var world = new World(nested: true);
        world.Map(Linear, 0x8000, PageSize.Size4K, UserPage);
        world.Map(Linear + 0x1000, 0x9000, PageSize.Size4K, UserPage);
        world.Map(Linear + 0x2000, 0x9000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        Assert.True(mmu.TryTranslate(new LinearAddress(Linear), AccessKind.Read, AccessMode.User, out _));
        Assert.True(mmu.TryTranslate(new LinearAddress(Linear + 0x1000), AccessKind.Read, AccessMode.User, out _));
        WalkStatistics before = mmu.Statistics.Walks;

        Assert.True(mmu.TryTranslate(new LinearAddress(Linear + 0x2000), AccessKind.Read, AccessMode.User, out Translation translation));

        WalkStatistics after = mmu.Statistics.Walks.Since(before);
        Assert.Equal(1ul, after.GuestReferences);
        Assert.Equal(0ul, after.EptReferences);
        Assert.Equal(0x9000 + World.EptOffset, translation.Address.Value);
    }

    // Statistics, inspection and observation must agree.
    private static int Count(World world, PagingContext context, ulong linear)
    {
        Mmu<Unobserved> mmu = world.Mmu(Machines.Uncached, context);
        var address = new LinearAddress(linear + 0x123);
        WalkTrace inspected = mmu.Inspect(address, AccessKind.Read, AccessMode.User);
        Assert.Equal(0ul, mmu.Statistics.Walks.Count);
        Assert.True(mmu.TryTranslate(address, AccessKind.Read, AccessMode.User, out Translation translation));
        Assert.Equal(world.Host(linear == 0x5000 ? 0x5123u : 0x123u), translation.Address.Value);
        Assert.Equal(translation.Address, inspected.HostPhysical);
        var watcher = new Watcher();
        Assert.True(world.Mmu(Machines.Uncached, new Observed(watcher), context).TryTranslate(address, AccessKind.Read, AccessMode.User, out _));

        WalkStatistics walks = mmu.Statistics.Walks;
        Assert.Equal(1ul, walks.Count);
        Assert.Equal(walks.References, (ulong)inspected.MemoryReferences);
        Assert.Equal(inspected.References.Count, inspected.MemoryReferences);
        Assert.Equal(inspected.References.Select(step => (step.Dimension, step.Level, step.Entry)), watcher.Last!.References.Select(step => (step.Dimension, step.Level, step.Entry)));
        return (int)walks.References;
    }

    private sealed class Watcher : ITranslationObserver
    {
        public WalkTrace? Last { get; private set; }

        public void Translated(WalkTrace trace) => Last = trace;
    }
}
