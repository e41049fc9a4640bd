using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>With every cache off a walk makes exactly (g+1)(h+1)-1 references, for g guest levels above h levels of EPT.</summary>
public sealed class ReferenceCountTests
{
    [Theory]
    [InlineData(PageSize.Size4K, 4)]
    [InlineData(PageSize.Size2M, 3)]
    [InlineData(PageSize.Size1G, 2)]
    public void Walk_NativeUncached_MakesOneReferenceForEachLevel(PageSize page, ulong references)
    {
        using var world = WalkWorld.Native();
        using var mmu = Uncached(world);
        WriteGuestEntries(world, page);
        mmu.SetContext(Context(world));

        WalkStatistics walks = CountTwo(mmu);

        Assert.Equal(2UL, walks.Count);
        Assert.Equal(2 * references, walks.GuestReferences);
        Assert.Equal(0UL, walks.EptReferences);
    }

    [Theory]
    [InlineData(PageSize.Size4K, PageSize.Size4K, 24)]
    [InlineData(PageSize.Size4K, PageSize.Size2M, 19)]
    [InlineData(PageSize.Size2M, PageSize.Size4K, 19)]
    [InlineData(PageSize.Size2M, PageSize.Size2M, 15)]
    [InlineData(PageSize.Size1G, PageSize.Size1G, 8)]
    [InlineData(PageSize.Size4K, PageSize.Size1G, 14)]
    [InlineData(PageSize.Size1G, PageSize.Size4K, 14)]
    [InlineData(PageSize.Size2M, PageSize.Size1G, 11)]
    [InlineData(PageSize.Size1G, PageSize.Size2M, 11)]
    public void Walk_NestedUncached_MakesTheReferencesOfBothDimensions(PageSize guest, PageSize ept, ulong references)
    {
        using var world = WalkWorld.Nested();
        using var mmu = Uncached(world);
        WriteGuestEntries(world, guest);
        for (int page = 0; page < 5; page++)
            world.MapByEpt(page, ept);
        mmu.SetContext(Context(world));

        WalkStatistics walks = CountTwo(mmu);

        Assert.Equal(2UL, walks.Count);
        Assert.Equal(2 * references, walks.References);
        Assert.Equal(2 * (4UL - (ulong)guest), walks.GuestReferences);
    }

    [Theory]
    [InlineData(PageSize.Size4K, 4)]
    [InlineData(PageSize.Size2M, 3)]
    [InlineData(PageSize.Size1G, 2)]
    [Rule("E21")]
    public void Walk_PagingOffAboveEpt_MakesTheReferencesOfEptAlone(PageSize ept, ulong references)
    {
        using var machine = new PagedMachine(TestMmuConfigurations.Uncached());
        EptBuilder tables = machine.NewEpt();
        tables.Map(new(0), new(0), ept, PagedMachine.EptPage);
        machine.Use(machine.Tables, pcid: 0, tables.Eptp, vpid: 1);
        machine.Mmu.SetContext(machine.Mmu.Context with { Cr0 = Cr0.ProtectionEnable });

        Assert.Equal(0xABCUL, machine.Access(0xABC));
        Assert.Equal(0xABDUL, machine.Access(0xABD));

        Assert.Equal(2 * references, machine.Mmu.Statistics.Walks.References);
    }

    [Fact]
    public void Access_PagingOffWithoutEpt_MakesNoReference()
    {
        using var machine = new PagedMachine(TestMmuConfigurations.Uncached());
        machine.Mmu.SetContext(machine.Mmu.Context with { Cr0 = Cr0.ProtectionEnable });

        Assert.Equal(0x1_2345UL, machine.Access(0x1_2345));

        Assert.Equal(0UL, machine.Mmu.Statistics.Walks.References);
    }

    [Fact]
    [Rule("E21")]
    [Rule("E07")]
    public void Access_PagingOffAboveEpt_ViolationIsOfAFinalAddress()
    {
        using var machine = new PagedMachine(TestMmuConfigurations.Uncached());
        EptBuilder tables = machine.NewEpt();
        tables.Map(new(0x5000), new(0x5000), PageSize.Size4K, EptEntry.Read | EptEntry.MemoryTypeWriteBack);
        machine.Use(machine.Tables, pcid: 0, tables.Eptp, vpid: 1);
        machine.Mmu.SetContext(machine.Mmu.Context with { Cr0 = Cr0.ProtectionEnable });

        Assert.Null(machine.Access(0x5678, AccessKind.Write));

        Assert.Equal(
            EptViolationQualification.Write | EptViolationQualification.GuestPhysicalReadable | EptViolationQualification.LinearAddressValid
                | EptViolationQualification.FinalTranslation,
            machine.Mmu.Fault.Qualification);
        Assert.Equal(new GuestPhysicalAddress(0x5678), machine.Mmu.Fault.GuestPhysical);
    }

    [Theory]
    [InlineData(4, 1)]
    [InlineData(3, 2)]
    [InlineData(1, 4)]
    public void Walk_NotPresentEntry_CountsItsReferencesAsFaulted(int level, ulong references)
    {
        using var world = WalkWorld.Native();
        using var mmu = Uncached(world);
        WriteGuestEntries(world, PageSize.Size4K);
        world.Memory.Write(world.GuestEntry(level), 0UL);
        mmu.SetContext(Context(world));

        mmu.TryTranslate(WalkWorld.Linear, AccessKind.Read, AccessMode.Supervisor, out _);

        WalkStatistics walks = mmu.Statistics.Walks;
        Assert.Equal((0UL, 0UL, 1UL, references), (walks.Count, walks.References, walks.Faulted, walks.FaultedReferences));
    }

    [Fact]
    public void Walk_CleanEntries_CountsFlagUpdatesApartFromReferences()
    {
        using var world = WalkWorld.Nested();
        using var mmu = Uncached(world);
        WriteGuestEntries(world, PageSize.Size4K);
        mmu.SetContext(Context(world) with { Eptp = world.Eptp | (1UL << 6) });

        mmu.TryTranslate(WalkWorld.Linear, AccessKind.Write, AccessMode.Supervisor, out _);

        // Four guest entries and twenty EPT entries, each once: A and D of one entry are one update.
        WalkStatistics walks = mmu.Statistics.Walks;
        Assert.Equal(24UL, walks.References);
        Assert.Equal(24UL, walks.FlagUpdates);
    }

    private static Mmu<Unobserved> Uncached(WalkWorld world) => new(world.Memory, TestMmuConfigurations.Uncached(), default);

    // Each access is a walk of its own where nothing is cached.
    private static WalkStatistics CountTwo(IMmu mmu)
    {
        Assert.True(mmu.TryTranslate(WalkWorld.Linear, AccessKind.Read, AccessMode.Supervisor, out _));
        Assert.True(mmu.TryTranslate(WalkWorld.Linear, AccessKind.Read, AccessMode.Supervisor, out _));
        return mmu.Statistics.Walks;
    }

    private static void WriteGuestEntries(WalkWorld world, PageSize size)
    {
        int map = PageTableBuilder.LevelOf(size);
        for (int level = 4; level >= map; level--)
        {
            ulong pageSizeBit = level == map && level > 1 ? PagingEntry.PageSizeBit : 0;
            world.Memory.Write(world.GuestEntry(level), world.GuestPointer(level, size) | PagingEntry.Present | PagingEntry.Writable | pageSizeBit);
        }
    }

    private static PagingContext Context(WalkWorld world) => new()
    {
        Cr0 = Cr0.ProtectionEnable | Cr0.Paging,
        Cr3 = world.Root,
        Cr4 = Cr4.PhysicalAddressExtension,
        Efer = Efer.LongModeEnable | Efer.LongModeActive,
        Eptp = world.Eptp,
        Vpid = (ushort)(world.Eptp == 0 ? 0 : 1),
    };
}
