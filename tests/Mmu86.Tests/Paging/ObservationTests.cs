using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>What an observer is told, and that nobody can tell that he watches.</summary>
public sealed class ObservationTests
{
    private const ulong Page = 0x40_0000;
    private const ulong UserPage = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_Observed_CountsAndAnswersAsUnobserved(bool nested)
    {
        using var watchedWorld = new FuzzWorld(nested, PageSize.Size4K, PageMix.MostlySmall, 1);
        using var plainWorld = new FuzzWorld(nested, PageSize.Size4K, PageMix.MostlySmall, 1);
        var watcher = new Watcher();
        Mmu<Observed> watched = watchedWorld.World.Mmu(Machines.Skylake, new Observed(watcher));
        Mmu<Unobserved> plain = plainWorld.World.Mmu(Machines.Skylake);
        var random = new Random(2);
        int focus = 0;
        const int Accesses = 5000;
        ulong memoryReads = 0;
        for (int n = 0; n < Accesses; n++)
        {
            var address = new LinearAddress(plainWorld.Pick(random, ref focus));
            AccessKind kind = (AccessKind)random.Next(3);
            AccessMode mode = (AccessMode)random.Next(2);
            bool expected = plain.TryTranslate(address, kind, mode, out Translation translation);
            Assert.Equal(expected, watched.TryTranslate(address, kind, mode, out Translation seen));
            Assert.Equal(translation, seen);
            WalkTrace trace = watcher.Traces[^1];
            Assert.Equal((address, kind, mode), (trace.Linear, trace.Kind, trace.Mode));
            Assert.Equal(expected ? translation.Address : null, trace.HostPhysical);
            Assert.Equal(expected ? translation.EntryPageSize : null, trace.EntryPageSize);
            Assert.Equal(expected ? null : plain.Fault, trace.Fault);
            memoryReads += (ulong)trace.MemoryReferences;
        }

        Assert.Equal(Accesses, watcher.Traces.Count);
        WalkStatistics walks = plain.Statistics.Walks;
        Assert.Equal(StatisticsText.Of(plain.Statistics), StatisticsText.Of(watched.Statistics));
        Assert.Equal(walks.References + walks.FaultedReferences, memoryReads);
        Assert.Contains(watcher.Traces, trace => trace.Hit == TranslationHit.L1);
        Assert.Contains(watcher.Traces, trace => trace.Hit == TranslationHit.L2);
        Assert.Contains(watcher.Traces, trace => trace.Reason == WalkReason.Dirty);
    }

    [Fact]
    public void Walk_Nested_TellsBothDimensionsInOrder()
    {
        using var world = new World(nested: true);
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        var watcher = new Watcher();
        Mmu<Observed> mmu = world.Mmu(Machines.Uncached, new Observed(watcher));

        Assert.True(mmu.TryTranslate(new LinearAddress(Page + 8), AccessKind.Write, AccessMode.User, out _));

        WalkTrace trace = watcher.Traces.Single();
        Assert.Equal(24, trace.MemoryReferences);
        for (int step = 0; step < 24; step++)
        {
            WalkReference reference = trace.References[step];
            bool isGuest = step % 5 == 4;
            Assert.Equal(isGuest ? WalkDimension.Guest : WalkDimension.Ept, reference.Dimension);
            Assert.Equal(isGuest ? 4 - (step / 5) : 4 - (step % 5), reference.Level);
            Assert.Equal(isGuest, reference.GuestEntry is not null);
            Assert.Equal(reference.After, world.Read(reference.Entry!.Value));
        }

        WalkReference leaf = trace.References[19];
        Assert.Equal(PagingEntry.Accessed | PagingEntry.Dirty, leaf.After & ~leaf.Before);
        Assert.Equal(leaf.Entry!.Value.Value, world.Host(leaf.GuestEntry!.Value.Value));
        Assert.Equal(new GuestPhysicalAddress(0x8008), trace.GuestPhysical);
        Assert.Equal((PageSize.Size4K, PageSize.Size4K, PageSize.Size4K), (trace.GuestPageSize, trace.HostPageSize, trace.EntryPageSize));
        Assert.Equal((TranslationRights)0x7F, trace.Rights);
    }

    [Fact]
    public void Walk_StructureCachesWarm_NamesWhoAnswered()
    {
        using var world = new World(nested: true);
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        world.Map(Page + 0x1000, 0x8000, PageSize.Size4K, UserPage);
        var watcher = new Watcher();
        Mmu<Observed> mmu = world.Mmu(Machines.Skylake, new Observed(watcher));
        Assert.True(mmu.TryTranslate(new LinearAddress(Page), AccessKind.Read, AccessMode.User, out _));

        Assert.True(mmu.TryTranslate(new LinearAddress(Page + 0x1000), AccessKind.Read, AccessMode.User, out _));

        WalkTrace trace = watcher.Traces[1];
        Assert.Equal([WalkSource.PdeCache, WalkSource.Memory, WalkSource.NestedTlb], trace.References.Select(step => step.Source));
        Assert.Equal(world.Entry(Page, 2), trace.References[0].Entry);
        Assert.Equal(world.Entry(Page + 0x1000, 1), trace.References[1].Entry);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Inspect_AnyAccess_PredictsItAndLeavesNoTrace(bool nested)
    {
        using var fuzz = new FuzzWorld(nested, PageSize.Size4K, PageMix.MostlySmall, 3);
        Mmu<Unobserved> mmu = fuzz.World.Mmu(Machines.Skylake);
        // With flags in EPT, so that there is something that an inspection might set.
        mmu.SetContext(fuzz.Contexts[6]);
        var random = new Random(4);
        int focus = 0;
        int walked = 0;
        for (int n = 0; n < 3000; n++)
        {
            var address = new LinearAddress(fuzz.Pick(random, ref focus));
            AccessKind kind = (AccessKind)random.Next(3);
            AccessMode mode = (AccessMode)random.Next(4);
            string before = StatisticsText.Of(mmu.Statistics);
            TranslationFault fault = mmu.Fault;
            ulong checksum = n % 100 == 0 ? Checksum(fuzz.World) : 0;

            WalkTrace trace = mmu.Inspect(address, kind, mode);

            Assert.Equal(before, StatisticsText.Of(mmu.Statistics));
            Assert.Equal(fault, mmu.Fault);
            if (checksum != 0)
                Assert.Equal(checksum, Checksum(fuzz.World));
            ulong walks = mmu.Statistics.Walks.Count;
            bool succeeded = mmu.TryTranslate(address, kind, mode, out Translation translation);
            // Nobody changes tables here, so what is cached agrees with them.
            Assert.Equal(succeeded ? null : mmu.Fault, trace.Fault);
            Assert.Equal(succeeded ? translation.Address : null, trace.HostPhysical);
            if (!succeeded)
                continue;
            bool answered = mmu.Statistics.Walks.Count == walks;
            Assert.Equal(answered, trace.Hit != TranslationHit.None);
            Assert.Equal(answered, trace.Reason is null);
            walked += answered ? 0 : 1;
            foreach (WalkReference step in trace.References.Where(step => step.Source == WalkSource.Memory))
                Assert.Equal(step.After, fuzz.World.Read(step.Entry!.Value) & (step.After | ~FlagsOf(step)));
        }

        Assert.True(walked > 50);
    }

    [Fact]
    public void Inspect_TranslationInTheTlb_WalksNothingAndReadTablesTellsEveryEntry()
    {
        using var world = new World(nested: true);
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        var address = new LinearAddress(Page);
        Assert.True(mmu.TryTranslate(address, AccessKind.Read, AccessMode.User, out Translation translation));

        WalkTrace trace = mmu.Inspect(address, AccessKind.Read, AccessMode.User);
        WalkTrace tables = mmu.ReadTables(address, AccessKind.Read, AccessMode.User);

        Assert.Equal((TranslationHit.L1, null, 0), (trace.Hit, trace.Reason, trace.References.Count));
        Assert.Equal((TranslationHit.None, 24, 24), (tables.Hit, tables.References.Count, tables.MemoryReferences));
        Assert.Equal((translation.Address, translation.Address), (trace.HostPhysical, tables.HostPhysical));
    }

    [Fact]
    public void ReadTables_StaleEntries_TellsMemoryAndNotWhatCachesHold()
    {
        using var world = new World(nested: true);
        world.Map(Page, 0x8000, PageSize.Size4K, UserPage);
        Mmu<Unobserved> mmu = world.Mmu(Machines.Skylake);
        var address = new LinearAddress(Page);
        Assert.True(mmu.TryTranslate(address, AccessKind.Read, AccessMode.User, out Translation translation));
        world.Map(Page, 0x9000, PageSize.Size4K, UserPage);

        Assert.Equal(translation.Address, mmu.Inspect(address, AccessKind.Read, AccessMode.User).HostPhysical);
        Assert.Equal(world.Host(0x9000), mmu.ReadTables(address, AccessKind.Read, AccessMode.User).HostPhysical!.Value.Value);
        Assert.True(mmu.TryFindInTables(address, AccessKind.Read, AccessMode.User, out HostPhysicalAddress host, out _));
        Assert.Equal(world.Host(0x9000), host.Value);
        world.Change(world.Entry(Page, 1), PagingEntry.Present, 0);
        Assert.False(mmu.TryFindInTables(address, AccessKind.Read, AccessMode.User, out _, out TranslationFault fault));
        Assert.Equal((fault, TranslationFailure.PageFault), (mmu.ReadTables(address, AccessKind.Read, AccessMode.User).Fault!.Value, fault.Failure));
    }

    private static ulong FlagsOf(WalkReference step) =>
        step.Dimension == WalkDimension.Guest ? PagingEntry.Accessed | PagingEntry.Dirty : EptEntry.Accessed | EptEntry.Dirty;

    private static ulong Checksum(World world)
    {
        ulong sum = 0;
        foreach ((ulong from, ulong to) in new[] { (world.Host(0x10_0000), world.Host(0x20_0000)), (world.Memory.LowTop.Value - 0x20_0000, world.Memory.LowTop.Value) })
        {
            for (ulong at = from; at < to; at += 8)
                sum = (sum * 31) + world.Memory.Read<ulong>(new HostPhysicalAddress(at));
        }

        return sum;
    }

    private sealed class Watcher : ITranslationObserver
    {
        public List<WalkTrace> Traces { get; } = [];

        public void Translated(WalkTrace trace) => Traces.Add(trace);
    }
}
