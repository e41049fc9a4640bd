using Mmu86.Loaders;
using Mmu86.Loaders.Bare;
using Mmu86.Loaders.Elf;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

public sealed class BareLoaderTests
{
    private const ulong LoadAddress = 0x10_0000;

    [Theory]
    [InlineData(PageSize.Size4K, 1UL << 20)]
    [InlineData(PageSize.Size4K, 1UL << 30)]
    [InlineData(PageSize.Size4K, 6UL << 30)]
    [InlineData(PageSize.Size2M, 1UL << 30)]
    [InlineData(PageSize.Size2M, 5UL << 30)]
    [InlineData(PageSize.Size1G, 1UL << 30)]
    [InlineData(PageSize.Size1G, 700UL << 30)]
    public void Load_FlatImage_MapsAllOfMemoryToItself(PageSize size, ulong bytes)
    {
        using var machine = new LoadedMachine(bytes);
        BareImage image = BareLoader.Load(Flat(0x8000), machine.Memory, size);

        ulong lowTop = Math.Min(bytes, 3UL << 30);
        ulong highTop = bytes > lowTop ? (4UL << 30) + (bytes - lowTop) : 0;
        foreach (ulong address in new ulong[] { 0, 0x8000, lowTop - 1, highTop == 0 ? 1 : highTop - 1, highTop == 0 ? 1 : 1UL << 32 })
        {
            LoadedMachine.Mapping mapping = machine.Walk(image.Cr3, address)!.Value;
            Assert.Equal(address, mapping.Physical);
            Assert.True(mapping is { Writable: true, Executable: true, User: false });
            Assert.Equal(size, mapping.Size);
            Assert.Equal(0UL, mapping.Entry & PagingEntry.PageCacheDisable);
        }

        LoadedMachine.Mapping device = machine.Walk(image.Cr3, 0xFEE0_0020)!.Value;
        Assert.Equal(0xFEE0_0020UL, device.Physical);
        Assert.NotEqual(0UL, device.Entry & PagingEntry.PageCacheDisable);
        if (size == PageSize.Size4K && highTop == 0)
            Assert.Null(machine.Walk(image.Cr3, lowTop));
    }

    [Theory]
    [InlineData(PageSize.Size4K, 1UL << 20)]
    [InlineData(PageSize.Size4K, 4UL << 30)]
    [InlineData(PageSize.Size2M, 6UL << 30)]
    [InlineData(PageSize.Size1G, 600UL << 30)]
    public void Load_Tables_EndExactlyWhereLowMemoryEnds(PageSize size, ulong bytes)
    {
        using var machine = new LoadedMachine(bytes);
        BareImage image = BareLoader.Load(Flat(0x8000), machine.Memory, size);

        // The last frame below the hole is the last table that was needed, and the frame below the GDT is the stack's.
        ulong lowTop = Math.Min(bytes, 3UL << 30);
        Assert.True(machine.Host.Frame(new HostFrameNumber((lowTop >> 12) - 1)).ContainsAnyExcept((byte)0));
        Assert.False(machine.Host.Frame(new HostFrameNumber((image.StackPointer.Value >> 12) - 1)).ContainsAnyExcept((byte)0));
        Assert.Equal(image.StackPointer.Value + 4096, image.Cr3.Value);
    }

    [Fact]
    public void Load_FlatImage_StartsAsTheContractSays()
    {
        using var machine = new LoadedMachine();
        BareImage image = BareLoader.Load(Flat(LoadAddress), machine.Memory, PageSize.Size4K);

        Assert.Equal(0UL, image.StackPointer.Value % 16);
        Assert.Equal(LoadedMachine.Gibibyte, image.MemorySizeInBytes);
        Assert.Equal(new LinearAddress(LoadAddress + 1), image.Entry);
        Assert.Equal(0x90, machine.Host.Read<byte>(new HostPhysicalAddress(LoadAddress)));

        // SDM 3, "Segment Descriptors": bit 43 code, 44 S, 47 P, 53 L, 54 D/B, 46:45 DPL.
        ulong code = machine.ReadWord(image.Cr3, image.GdtBase.Value + image.CodeSelector);
        ulong data = machine.ReadWord(image.Cr3, image.GdtBase.Value + image.DataSelector);
        const ulong CodeS_P_L = (1UL << 43) | (1UL << 44) | (1UL << 47) | (1UL << 53);
        const ulong Dpl = 3UL << 45;
        Assert.Equal(CodeS_P_L, code & (CodeS_P_L | Dpl | (1UL << 54)));
        Assert.Equal((1UL << 44) | (1UL << 47), data & ((1UL << 43) | (1UL << 44) | Dpl | (1UL << 47)));
        Assert.Equal(0UL, machine.ReadWord(image.Cr3, image.GdtBase.Value));
        Assert.Equal(23, image.GdtLimit);
    }

    [Fact]
    public void Load_ElfImage_GoesByPhysicalAddress()
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = new ElfWriter { OsAbi = 255, Entry = LoadAddress }
            .Add(0xFFFF_8000_0010_0000, [0xF4], PageRights.Read | PageRights.Execute, physical: LoadAddress)
            .Add(0xFFFF_8000_0020_0000, [1, 2], PageRights.Read | PageRights.Write, physical: 0x20_0000, memorySize: 0x1000);
        ElfFile elf = ElfFile.Parse(writer.Write());
        BareImage image = BareLoader.Load(elf, machine.Memory, PageSize.Size2M);

        Assert.True(elf.IsStandalone);
        Assert.Equal(new LinearAddress(LoadAddress), image.Entry);
        Assert.Equal([0xF4], machine.ReadLinear(image.Cr3, LoadAddress, 1));
        Assert.Equal([1, 2, 0], machine.ReadLinear(image.Cr3, 0x20_0000, 3));
    }

    [Theory]
    [InlineData(0x4000_0000UL, "lies outside memory")]
    [InlineData(0x3FFF_FFFFUL, "lies outside memory")]
    [InlineData(0xC000_0000UL, "lies in the device hole")]
    [InlineData(0x1_0000_0000UL, "lies outside memory")]
    [InlineData(0xFFFF_FFFF_FFFF_0000UL, "lies outside memory")]
    [InlineData(0x3FFF_F000UL, "overlaps the loader's page tables")]
    public void Load_FlatImageThatDoesNotFit_SaysWhy(ulong address, string why)
    {
        using var machine = new LoadedMachine();
        var error = Assert.Throws<ImageFormatException>(() => BareLoader.Load(Flat(address), machine.Memory, PageSize.Size4K));
        Assert.Contains(why, error.Message);
    }

    [Fact]
    public void Load_ElfSegmentOutsideMemory_IsNamed()
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = new ElfWriter { Entry = LoadAddress }
            .Add(LoadAddress, [0xF4], PageRights.Read | PageRights.Execute)
            .Add(0x8000_0000, [1], PageRights.Read);
        var error = Assert.Throws<ImageFormatException>(
            () => BareLoader.Load(ElfFile.Parse(writer.Write()), machine.Memory, PageSize.Size4K));
        Assert.Equal("Segment 1: p_paddr G:0x80000000 with p_memsz 0x1 lies outside memory (0x40000000 bytes).", error.Message);
    }

    [Fact]
    public void Load_ElfSegmentsThatOverlapByPhysicalAddress_AreRefused()
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = new ElfWriter { Entry = LoadAddress }
            .Add(LoadAddress, [0xF4], PageRights.Read | PageRights.Execute, memorySize: 0x2000)
            .Add(0x80_0000, [1], PageRights.Read, physical: LoadAddress + 0x1000);
        var error = Assert.Throws<ImageFormatException>(
            () => BareLoader.Load(ElfFile.Parse(writer.Write()), machine.Memory, PageSize.Size4K));
        Assert.Contains("overlaps the segment at G:0x100000", error.Message);
    }

    [Fact]
    public void Load_ElfEntryThatIsOnlyALinearAddress_IsRefused()
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = new ElfWriter { Entry = 0x80_0000 }
            .Add(0x80_0000, [0xF4], PageRights.Read | PageRights.Execute, physical: LoadAddress);
        var error = Assert.Throws<ImageFormatException>(
            () => BareLoader.Load(ElfFile.Parse(writer.Write()), machine.Memory, PageSize.Size4K));
        Assert.StartsWith("e_entry 0x800000 lies outside", error.Message);
    }

    [Fact]
    public void Load_PositionIndependentElf_IsNotSupportedYet()
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = ElfWriter.Typical();
        writer.Type = 3;
        Assert.Throws<ImageNotSupportedException>(
            () => BareLoader.Load(ElfFile.Parse(writer.Write()), machine.Memory, PageSize.Size4K));
    }

    private static FlatImage Flat(ulong address) =>
        new(new byte[] { 0x90, 0xF4 }, new GuestPhysicalAddress(address), new GuestPhysicalAddress(address + 1));
}
