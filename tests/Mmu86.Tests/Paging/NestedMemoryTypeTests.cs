using Mmu86.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>The memory types of pages and of tables under AMD's nested paging.</summary>
public sealed class NestedMemoryTypeTests
{
    // WB, WT, UC-, UC, WC, WP, WB, UC; and of the host WT, WP, WB, UC, WC, UC-, UC, WB. The world's nested leaves have PCD, index 2.
    private const ulong GuestPat = 0x0006_0501_0007_0406;
    private const ulong HostPat = 0x0600_0701_0006_0504;

    private const ulong Linear = 0x7654_3000;
    private const ulong Frame = 0x30_0000;
    private const ulong Good = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;
    private const ulong Attributes = PagingEntry.PageWriteThrough | PagingEntry.PageCacheDisable;

    // APM 2, "Combining Guest and Host PAT Types": a row for each guest type.
    [Theory]
    [InlineData("UC", "UC UC- WC WP WT WB", "UC UC UC UC UC UC")]
    [InlineData("UC-", "UC UC- WC WP WT WB", "UC UC- WC UC UC UC")]
    [InlineData("WC", "UC UC- WC WP WT WB", "WC WC WC WC+ WC+ WC+")]
    [InlineData("WP", "UC UC- WC WP WT WB", "UC UC UC WP UC WP")]
    [InlineData("WT", "UC UC- WC WP WT WB", "UC UC UC UC WT WT")]
    [InlineData("WB", "UC UC- WC WP WT WB", "UC UC WC WP WT WB")]
    [Rule("N10")]
    public void CombinePats_OfTheTable_IsTheCombinedType(string guest, string hosts, string combined)
    {
        string[] got = [.. hosts.Split(' ').Select(host => Name(NestedMemoryTypes.CombinePats(Parse(guest), Parse(host))))];

        Assert.Equal(combined.Split(' '), got);
    }

    // APM 2, "Combining PAT and MTRR Types": a row for each combined type.
    [Theory]
    [InlineData("UC", "UC WC WP WT WB", "UC CD CD CD CD")]
    [InlineData("UC-", "UC WC WP WT WB", "UC WC CD CD CD")]
    [InlineData("WC", "UC WC WP WT WB", "WC WC WC WC WC")]
    [InlineData("WC+", "UC WC WP WT WB", "WC WC WC+ WC+ WC+")]
    [InlineData("WP", "UC WC WP WT WB", "UC CD WP CD WP")]
    [InlineData("WT", "UC WC WP WT WB", "UC CD CD WT WT")]
    [InlineData("WB", "UC WC WP WT WB", "UC WC WP WT WB")]
    [Rule("N10")]
    public void CombineWithRange_OfTheTable_IsTheEffectiveType(string pat, string ranges, string effective)
    {
        string[] got = [.. ranges.Split(' ').Select(range => Name(NestedMemoryTypes.CombineWithRange(Parse(pat), Parse(range))))];

        Assert.Equal(effective.Split(' '), got);
    }

    /// <summary>Of every pair of indexes, by a walk, by the nested TLB and by the TLB; PAT is bit 7 of a nested PTE and bit 12 of a larger page's entry.</summary>
    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    [Rule("N10")]
    public void Access_EveryPairOfIndexes_HasTheMergedType(PageSize nested)
    {
        using var world = new World(nested: true, nested);
        var watcher = new Watcher();
        using var mmu = world.Mmu(Machine(), new Observed(watcher), Context(world));
        ulong highBit = nested == PageSize.Size4K ? 1UL << 7 : 1UL << 12;
        int level = (int)nested + 1;
        for (int index = 0; index < 64; index++)
        {
            int guest = index & 7;
            int host = index >> 3;
            world.Map(Linear, Frame, PageSize.Size4K, Good | Index(guest, 1UL << 7));
            world.Change(world.EptEntryAt(Frame, level), Attributes | highBit, Index(host, highBit));
            mmu.InvalidateAll();
            mmu.InvalidateEptAll();
            watcher.Traces.Clear();

            mmu.TryTranslate(new LinearAddress(Linear), AccessKind.Read, AccessMode.User, out _);
            mmu.TryTranslate(new LinearAddress(Linear), AccessKind.Read, AccessMode.User, out _);
            mmu.InvalidatePage(new LinearAddress(Linear));
            mmu.TryTranslate(new LinearAddress(Linear), AccessKind.Read, AccessMode.User, out _);

            MemoryType combined = NestedMemoryTypes.CombinePats((MemoryType)(byte)(GuestPat >> (8 * guest)), (MemoryType)(byte)(HostPat >> (8 * host)));
            MemoryType expected = NestedMemoryTypes.CombineWithRange(combined, MemoryType.WriteBack);
            Assert.Equal([expected, expected, expected], watcher.Traces.Select(trace => trace.MemoryType!.Value));
            Assert.Equal([TranslationHit.None, TranslationHit.L1, TranslationHit.None], watcher.Traces.Select(trace => trace.Hit));
            Assert.Equal(WalkSource.NestedTlb, watcher.Traces[2].References[^1].Source);
        }
    }

    /// <summary>The host's MTRRs count, by host-physical address; the guest's have no part. CR0.CD of either disables caching.</summary>
    [Theory]
    [InlineData(MemoryType.WriteBack, Cr0.None, false, "WB")]
    [InlineData(MemoryType.WriteThrough, Cr0.None, false, "WT")]
    [InlineData(MemoryType.WriteBack, Cr0.CacheDisable, false, "CD")]
    [InlineData(MemoryType.WriteBack, Cr0.None, true, "CD")]
    [Rule("N10")]
    public void Access_RegistersOfGuestAndHost_HaveTheirPart(MemoryType hostRange, Cr0 guestDisables, bool hostDisables, string expected)
    {
        using var world = new World(nested: true);
        world.Map(Linear, Frame, PageSize.Size4K, Good);
        PagingContext context = Context(world);
        using var mmu = world.Mmu(Machine(), default(Unobserved), context with
        {
            Cr0 = context.Cr0 | guestDisables,
            MemoryTypes = new Range(0, ulong.MaxValue, MemoryType.Uncacheable),
            Nested = new NestedControls
            {
                HostMemory = new NestedHostMemory
                {
                    Pat = HostPat,
                    MemoryTypes = new Range(World.EptOffset + Frame, 4096, hostRange),
                    IsCacheDisabled = hostDisables,
                },
            },
        });

        WalkTrace trace = mmu.Inspect(new LinearAddress(Linear), AccessKind.Read, AccessMode.User);

        Assert.Equal(expected, Name(trace.MemoryType!.Value));
    }

    /// <summary>A nested table is typed by the nested entry that points to it, a guest's by both dimensions. In a walk of memory, and where caches serve.</summary>
    [Fact]
    [Rule("N10")]
    public void Tables_OfBothDimensions_HaveTheirTypes()
    {
        using var world = new World(nested: true);
        world.Map(Linear, Frame, PageSize.Size4K, Good);
        world.Map(Linear + (1UL << 21), Frame + 0x1000, PageSize.Size4K, Good);
        world.Change(world.Entry(Linear, 2), 0, PagingEntry.PageWriteThrough);
        ulong directory = world.Read(world.Entry(Linear, 3)) & PagingEntry.AddressMask;
        ulong table = world.Read(world.Entry(Linear, 2)) & PagingEntry.AddressMask;
        world.Change(world.EptEntryAt(directory, 1), Attributes, Index(4, 1UL << 7));
        world.Change(world.EptEntryAt(table, 3), 0, PagingEntry.PageCacheDisable);
        world.Change(world.EptEntryAt(table, 2), 0, PagingEntry.PageWriteThrough | PagingEntry.PageCacheDisable);
        var watcher = new Watcher();
        using var mmu = world.Mmu(Machine(), new Observed(watcher), Context(world));

        WalkTrace walk = mmu.ReadTables(new LinearAddress(Linear), AccessKind.Read, AccessMode.User);
        mmu.TryTranslate(new LinearAddress(Linear + (1UL << 21)), AccessKind.Read, AccessMode.User, out _);
        mmu.TryTranslate(new LinearAddress(Linear), AccessKind.Read, AccessMode.User, out _);

        // nCR3 gives index 0, as do entries of the top level; then PCD (2), then both (3) for the 2 MiB that have the guest's tables, but not the frame.
        WalkReference[] nested = [.. walk.References.Where(step => step.Dimension == WalkDimension.Ept)];
        Assert.Equal([.. Enumerable.Repeat("WT WT WB CD", 4), "WT WT WB WT"], nested.Chunk(4).Select(steps => string.Join(' ', steps.Select(step => Name(step.MemoryType!.Value)))));
        // Guest's index 0 (WB) with WB, WB, and WC of the directory's page; index 1 (WT) with WB.
        Assert.Equal(["WB", "WB", "WC", "WT"], walk.References.Where(step => step.Dimension == WalkDimension.Guest).Select(step => Name(step.MemoryType!.Value)));

        // Of the second translation the guest's PDPTE cache knows the directory, and the nested PDE cache the last nested table of both pages used.
        IReadOnlyList<WalkReference> warm = watcher.Traces[1].References;
        Assert.Contains(warm, step => step.Source == WalkSource.EptPdeCache);
        WalkReference[] read = [.. warm.Where(step => step.Source == WalkSource.Memory)];
        Assert.Equal(["CD", "WT"], read.Where(step => step.Dimension == WalkDimension.Ept).Select(step => Name(step.MemoryType!.Value)));
        Assert.Equal("WT", Name(read.Last(step => step.Dimension == WalkDimension.Guest).MemoryType!.Value));
    }

    private static MmuConfiguration Machine() => Machines.Skylake with { Nested = Machines.Skylake.Nested with { Format = NestedFormat.Npt } };

    private static PagingContext Context(World world) => world.Context with
    {
        Pat = GuestPat,
        Eptp = world.EptRoot | EptPointer.FourLevels | NptPointer.On | NptPointer.NoExecute,
        Nested = new NestedControls { HostMemory = new NestedHostMemory { Pat = HostPat } },
    };

    private static ulong Index(int index, ulong highBit) => ((ulong)(index & 3) << 3) | ((index & 4) != 0 ? highBit : 0);

    private static string Name(MemoryType type) => type switch
    {
        MemoryType.Uncacheable => "UC",
        MemoryType.WriteCombining => "WC",
        MemoryType.WriteThrough => "WT",
        MemoryType.WriteProtected => "WP",
        MemoryType.WriteBack => "WB",
        MemoryType.UncacheableMinus => "UC-",
        MemoryType.CacheDisable => "CD",
        _ => "WC+",
    };

    private static MemoryType Parse(string name) => Enum.GetValues<MemoryType>().Single(type => Name(type) == name);

    // Write-back elsewhere.
    private sealed class Range(ulong start, ulong length, MemoryType type) : IMemoryTypeRanges
    {
        public MemoryType TypeOf(HostPhysicalAddress address) => address.Value - start < length ? type : MemoryType.WriteBack;
    }

    private sealed class Watcher : ITranslationObserver
    {
        public List<WalkTrace> Traces { get; } = [];

        public void Translated(WalkTrace trace) => Traces.Add(trace);
    }
}
