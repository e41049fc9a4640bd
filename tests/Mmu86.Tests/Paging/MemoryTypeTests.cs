using Mmu86.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>The memory types of pages and of tables, as inspections and observed translations tell them.</summary>
public sealed class MemoryTypeTests
{
    // Every type at an index of its own, in another order than the reset value has: WB, WT, UC-, UC, WC, WP, WB, UC.
    private const ulong Pat = 0x0006_0501_0007_0406;

    private const ulong Linear = 0x7654_3000;
    private const ulong Frame = 0x30_0000;
    private const ulong Good = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    // SDM 3, "Selecting Memory Types for Pentium III and More Recent Processor Families": MTRR, PAT, effective.
    [Theory]
    [InlineData("UC", "UC UC- WC WT WP WB", "UC UC WC UC UC UC")]
    [InlineData("WC", "UC UC- WC WT WP WB", "UC WC WC UC UC WC")]
    [InlineData("WT", "UC UC- WC WT WP WB", "UC UC WC WT WP WT")]
    [InlineData("WP", "UC UC- WC WT WP WB", "UC UC WC WT WP WP")]
    [InlineData("WB", "UC UC- WC WT WP WB", "UC UC WC WT WP WB")]
    [Rule("M03")]
    public void Combine_OfTheTable_IsTheEffectiveType(string range, string pats, string effective)
    {
        string[] got = [.. pats.Split(' ').Select(pat => Name(MemoryTyping.Combine(Parse(pat), Parse(range))))];

        Assert.Equal(effective.Split(' '), got);
    }

    /// <summary>The index is 4·PAT + 2·PCD + PWT of the map entry; PAT is bit 7 of a PTE and bit 12 of a larger page's entry.</summary>
    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    [InlineData(PageSize.Size1G)]
    [Rule("M01")]
    [Rule("P08")]
    public void Access_EveryIndex_HasThePatsType(PageSize size)
    {
        using var world = new World(bytes: 16 << 20);
        using var mmu = world.Mmu(Machines.Skylake, default(Unobserved), world.Context with { Pat = Pat });
        for (int index = 0; index < 8; index++)
        {
            ulong patBit = size == PageSize.Size4K ? 1UL << 7 : 1UL << 12;
            ulong attributes = ((ulong)(index & 3) << 3) | ((index & 4) != 0 ? patBit : 0);
            world.Map(Linear, 0, size, Good | attributes);
            mmu.InvalidateAll();

            WalkTrace trace = mmu.Inspect(new LinearAddress(Linear), AccessKind.Read, AccessMode.User);

            Assert.Equal(MemoryTyping.Combine((MemoryType)((Pat >> (8 * index)) & 7), MemoryType.WriteBack), trace.MemoryType);
        }
    }

    /// <summary>Of a table: 2·PCD + PWT of what points to it. CR3's bits count unless they are a PCID.</summary>
    [Theory]
    [InlineData(Cr4.None, "UC WB UC WT")]
    [InlineData(Cr4.PcidEnable, "WB WB UC WT")]
    [Rule("M01")]
    [Rule("T10")]
    public void Tables_AttributesOfWhatPointsToThem_ChooseTheirTypes(Cr4 pcids, string types)
    {
        using var world = new World(bytes: 16 << 20);
        world.Map(Linear, Frame, PageSize.Size4K, Good);
        world.Change(world.Entry(Linear, 3), 0, PagingEntry.PageCacheDisable);
        world.Change(world.Entry(Linear, 2), 0, PagingEntry.PageWriteThrough);
        PagingContext context = world.Context with { Pat = Pat, Cr3 = world.Root | 0x18 };
        using var mmu = world.Mmu(Machines.Skylake, default(Unobserved), context with { Cr4 = context.Cr4 | pcids });

        WalkTrace trace = mmu.Inspect(new LinearAddress(Linear), AccessKind.Read, AccessMode.User);

        Assert.Equal(types.Split(' '), trace.References.Select(step => Name(step.MemoryType!.Value)));
    }

    [Fact]
    [Rule("M05")]
    public void Everything_WhileCachesAreDisabled_IsUncacheable()
    {
        using var world = new World(nested: true);
        world.Map(Linear, Frame, PageSize.Size4K, Good);
        using var mmu = world.Mmu(Machines.Skylake, default(Unobserved), world.Context with { Pat = Pat, Cr0 = world.Context.Cr0 | Cr0.CacheDisable });

        WalkTrace trace = mmu.ReadTables(new LinearAddress(Linear), AccessKind.Read, AccessMode.User);

        Assert.Equal(MemoryType.Uncacheable, trace.MemoryType);
        Assert.All(trace.References, step => Assert.Equal(MemoryType.Uncacheable, step.MemoryType));
    }

    /// <summary>IPAT: EPT's type alone. Else EPT's type takes the place of the MTRR's, which has no part. Without paging the PAT says WB.</summary>
    [Theory]
    [InlineData(6, false, true, "WT")]
    [InlineData(6, true, true, "WB")]
    [InlineData(0, false, true, "UC")]
    [InlineData(5, true, true, "WP")]
    [InlineData(1, false, true, "UC")]
    [InlineData(4, false, false, "WT")]
    [InlineData(1, false, false, "WC")]
    [Rule("M04")]
    public void Access_UnderEpt_CombinesWithTheLeaf(int eptType, bool ignorePat, bool isPaging, string expected)
    {
        using var world = new World(nested: true);
        const ulong Guest = 0x3000;
        world.Map(Guest, Guest, PageSize.Size4K, Good | PagingEntry.PageWriteThrough);
        world.Change(world.EptEntryAt(Guest, 1), EptEntry.MemoryTypeMask, ((ulong)eptType << 3) | (ignorePat ? EptEntry.IgnorePat : 0));
        PagingContext context = world.Context with { Pat = Pat, MemoryTypes = new EveryAddress(MemoryType.Uncacheable) };
        if (!isPaging)
            context = context with { Cr0 = Cr0.ProtectionEnable };
        using var mmu = world.Mmu(Machines.Skylake, default(Unobserved), context);

        WalkTrace trace = mmu.Inspect(new LinearAddress(Guest), AccessKind.Read, AccessMode.User);

        Assert.Equal(expected, Name(trace.MemoryType!.Value));
    }

    /// <summary>EPT's own tables: EPTP[2:0]. A guest table: the pointing entry's type with the leaf of the table's page.</summary>
    [Theory]
    [InlineData(6UL, "WB")]
    [InlineData(0UL, "UC")]
    [Rule("M06")]
    [Rule("M07")]
    public void Tables_UnderEpt_HaveTypesOfBothDimensions(ulong pointerType, string eptTables)
    {
        using var world = new World(nested: true);
        world.Map(Linear, Frame, PageSize.Size4K, Good);
        world.Change(world.Entry(Linear, 2), 0, PagingEntry.PageWriteThrough);
        ulong directory = world.Read(world.Entry(Linear, 3)) & PagingEntry.AddressMask;
        world.Change(world.EptEntryAt(directory, 1), EptEntry.MemoryTypeMask, (ulong)MemoryType.WriteProtected << 3);
        PagingContext context = world.Context with { Pat = Pat, Eptp = (world.Context.Eptp & ~7UL) | pointerType };
        using var mmu = world.Mmu(Machines.Skylake, default(Unobserved), context);

        WalkTrace trace = mmu.ReadTables(new LinearAddress(Linear), AccessKind.Read, AccessMode.User);

        Assert.All(trace.References.Where(step => step.Dimension == WalkDimension.Ept), step => Assert.Equal(eptTables, Name(step.MemoryType!.Value)));
        // EPT leaves have type WB in this world, but for that of the page directory.
        Assert.Equal(["WB", "WB", "WP", "WT"], trace.References.Where(step => step.Dimension == WalkDimension.Guest).Select(step => Name(step.MemoryType!.Value)));
    }

    [Fact]
    [Rule("T23")]
    public void Access_TypeChangedInTheEntry_KeepsTheCachedOneUntilInvalidated()
    {
        using var world = new World(bytes: 16 << 20);
        world.Map(Linear, Frame, PageSize.Size4K, Good);
        var watcher = new Watcher();
        using var mmu = world.Mmu(Machines.Skylake, new Observed(watcher), world.Context with { Pat = Pat });
        mmu.TryTranslate(new LinearAddress(Linear), AccessKind.Read, AccessMode.User, out _);
        world.Change(world.Entry(Linear, 1), 0, PagingEntry.PageCacheDisable | PagingEntry.PageWriteThrough);

        mmu.TryTranslate(new LinearAddress(Linear), AccessKind.Read, AccessMode.User, out _);
        mmu.InvalidatePage(new LinearAddress(Linear));
        mmu.TryTranslate(new LinearAddress(Linear), AccessKind.Read, AccessMode.User, out _);

        Assert.Equal([MemoryType.WriteBack, MemoryType.WriteBack, MemoryType.Uncacheable], watcher.Types);
    }

    private static string Name(MemoryType type) => type switch
    {
        MemoryType.Uncacheable => "UC",
        MemoryType.WriteCombining => "WC",
        MemoryType.WriteThrough => "WT",
        MemoryType.WriteProtected => "WP",
        MemoryType.WriteBack => "WB",
        MemoryType.UncacheableMinus => "UC-",
        _ => type.ToString(),
    };

    private static MemoryType Parse(string name) => Enum.GetValues<MemoryType>().Single(type => Name(type) == name);

    private sealed class EveryAddress(MemoryType type) : IMemoryTypeRanges
    {
        public MemoryType TypeOf(HostPhysicalAddress address) => type;
    }

    private sealed class Watcher : ITranslationObserver
    {
        public List<MemoryType?> Types { get; } = [];

        public void Translated(WalkTrace trace) => Types.Add(trace.MemoryType);
    }
}
