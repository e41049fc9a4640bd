using System.Text;
using Mmu86.Loaders;
using Mmu86.Loaders.Multiboot;
using Mmu86.Loaders.RealMode;
using Mmu86.Memory;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

/// <summary>Multiboot Specification 0.6.96: where the kernel goes and what it finds.</summary>
public sealed class MultibootLoaderTests : IDisposable
{
    private readonly HostMemory _host = new(16 << 20);

    public void Dispose() => _host.Dispose();

    [Fact]
    public void Elf32_GoesToItsPhysicalAddressAndStartsThere()
    {
        MultibootImage image = Load(MultibootFile.Elf());

        Assert.Equal(0x10_000CUL, image.Entry.Value);
        Assert.Equal(MultibootFile.Magic, Word(0x10_0000));
        Assert.Equal(0xF4u, Word(0x10_000C) & 0xFF);
        Assert.Equal(Cr0.ProtectionEnable, image.Cr0 & (Cr0.ProtectionEnable | Cr0.Paging));
    }

    [Fact]
    public void Elf32_EntryByLinearAddress_BecomesPhysical()
    {
        byte[] file = MultibootFile.Elf();
        MultibootFile.Word(file, 24, 0xC010_000C);
        MultibootFile.Word(file, MultibootFile.ElfHeaderBytes + 8, 0xC010_0000);
        Assert.Equal(0x10_000CUL, Load(file).Entry.Value);
    }

    [Fact]
    public void Addresses_OfTheHeader_PlaceTheFile()
    {
        MultibootImage image = Load(MultibootFile.ByAddresses());

        Assert.Equal(0x10_0030UL, image.Entry.Value);
        Assert.Equal(MultibootFile.Magic, Word(0x10_0010)); // 0x10 bytes before the header belong to it too
        Assert.Equal(0xF4u, Word(0x10_0030) & 0xFF);
        Assert.Equal(0x4000UL, image.Segments[0].SizeInBytes);
    }

    // "Boot information format": offset, value. 16 MiB of memory.
    [Fact]
    public void Information_TellsMemoryCommandLineModulesAndLoader()
    {
        var modules = new MultibootModule[] { new(new byte[] { 1, 2, 3 }, "first a=1"), new(new byte[5000], "second") };
        var options = new MultibootOptions { CommandLine = "kernel.elf one two", Modules = modules };
        MultibootImage image = MultibootLoader.Load(MultibootFile.Elf(), options, new NativeGuestMemory(_host));
        ulong at = image.Information.Value;

        Assert.True(at < 0x9_FC00);
        Assert.Equal(0x24Du, Word(at)); // memory, command line, modules, memory map, loader name
        Assert.Equal((640u, 15u * 1024), (Word(at + 4), Word(at + 8)));
        Assert.Equal("kernel.elf one two", Text(Word(at + 16)));
        Assert.Equal("Mmu86", Text(Word(at + 64)));
        Assert.Equal(2u, Word(at + 20));
        ulong first = Word(at + 24);
        Assert.Equal((0x10_2000u, 0x10_2003u, "first a=1"), (Word(first), Word(first + 4), Text(Word(first + 8))));
        Assert.Equal((0x10_3000u, 0x10_3000u + 5000, "second"), (Word(first + 16), Word(first + 20), Text(Word(first + 24))));
        Assert.Equal(0x03_0201u, Word(0x10_2000));
    }

    [Fact]
    public void MemoryMap_NamesRamAndWhatIsReserved()
    {
        ulong at = Load(MultibootFile.Elf()).Information.Value;
        var map = new List<(uint Size, ulong Start, ulong Length, uint Type)>();
        for (ulong entry = Word(at + 48); entry < Word(at + 48) + Word(at + 44); entry += 24)
            map.Add((Word(entry), Word(entry + 4) | ((ulong)Word(entry + 8) << 32), Word(entry + 12) | ((ulong)Word(entry + 16) << 32), Word(entry + 20)));

        Assert.Equal(
            [
                (20u, 0UL, 0x9_FC00UL, 1u),
                (20u, 0x9_FC00UL, 0x400UL, 2u),
                (20u, 0xF_0000UL, 0x1_0000UL, 2u),
                (20u, 0x10_0000UL, 0xF0_0000UL, 1u),
                (20u, 0xFEC0_0000UL, 0x140_0000UL, 2u),
            ],
            map);
    }

    [Fact]
    public void Information_MovesWhereTheKernelLeavesRoom()
    {
        byte[] file = MultibootFile.Elf();
        MultibootFile.Words(file, MultibootFile.ElfHeaderBytes + 8, 0x8000, 0x8000, 0x80, 0x4000);
        MultibootFile.Word(file, 24, 0x800C);
        ulong at = Load(file).Information.Value;
        Assert.Equal(0x1000UL, at);
    }

    // Offset in a sound file, word written, what the message names.
    [Theory]
    [InlineData(true, 24, 0x1u, "e_entry 0x1")]
    [InlineData(true, 28, 0x8000_0000u, "e_phoff")]
    [InlineData(true, 44, 0u, "e_phnum")]
    [InlineData(true, 42, 0x1_0021u, "e_phentsize")]
    [InlineData(true, 18, 0x28u, "e_machine is 40")]
    [InlineData(true, 16, 0x3_0003u, "e_type is 3")]
    [InlineData(true, 64, 0xC000_0000u, "p_paddr 0xc0000000")]
    [InlineData(true, 68, 0x9000u, "p_filesz")]
    [InlineData(true, 72, 0xFFFF_FFFFu, "Segment 0")]
    [InlineData(false, 0x20, 0u, "no multiboot header")]
    [InlineData(false, 0x30, 0x20_0000u, "load_addr")]
    [InlineData(false, 0x2C, 0x20_0000u, "load_addr")]
    [InlineData(false, 0x34, 0x0F_0000u, "load_end_addr")]
    [InlineData(false, 0x34, 0x20_0000u, "load_end_addr")]
    [InlineData(false, 0x38, 0x10_0001u, "bss_end_addr")]
    [InlineData(false, 0x38, 0xFF00_0000u, "device hole")]
    [InlineData(false, 0x3C, 0x0F_FFFFu, "entry_addr")]
    public void BrokenFile_IsRefusedByTheNameOfTheField(bool isElf, int offset, uint value, string named)
    {
        byte[] file = isElf ? MultibootFile.Elf() : MultibootFile.ByAddresses();
        MultibootFile.Word(file, offset, value);
        var error = Assert.Throws<ImageFormatException>(() => Load(file));
        Assert.Contains(named, error.Message);
        Assert.EndsWith(".", error.Message);
    }

    [Fact]
    public void Flags_ThatNobodyDefined_AreRefused()
    {
        byte[] file = MultibootFile.Elf();
        MultibootFile.Words(file, MultibootFile.CodeOffset + 4, 0x11, unchecked(0 - MultibootFile.Magic - 0x11));
        Assert.Contains("bits 0x10", Assert.Throws<ImageFormatException>(() => Load(file)).Message);
    }

    [Fact]
    public void BootSector_LiesAt7C00()
    {
        byte[] file = new byte[512];
        file[0] = 0xF4;
        file[510] = 0x55;
        file[511] = 0xAA;
        RealModeImage image = RealModeLoader.LoadBootSector(file, new NativeGuestMemory(_host));
        Assert.Equal((0x7C00UL, (ushort)0, (byte)0x80), (image.Entry.Value, image.CodeSegment, image.BootDrive));
        Assert.Equal(0xF4u, Word(0x7C00));
        file[511] = 0;
        Assert.Throws<ImageFormatException>(() => RealModeLoader.LoadBootSector(file, new NativeGuestMemory(_host)));
    }

    [Theory]
    [InlineData(0x1_0000, 0xF_0000)]
    [InlineData(0x2_0000, 0xE_0000)]
    [InlineData(0x4_0000, 0xE_0000)]
    public void Rom_EndsAtOneMebibyteAndStartsAtTheResetVector(int size, ulong start)
    {
        byte[] file = new byte[size];
        file[^16] = 0xEA;
        file[^(int)(0x10_0000 - start)] = 0x42;
        RealModeImage image = RealModeLoader.LoadRom(file, new NativeGuestMemory(_host));
        Assert.Equal((0xFFFF_FFF0UL, (ushort)0xF000), (image.Entry.Value, image.CodeSegment));
        Assert.Equal((0xEAu, 0x42u), (Word(0xF_FFF0) & 0xFF, Word(start) & 0xFF));
        Assert.Equal(size, image.Rom.Length);
        Assert.Throws<ImageFormatException>(() => RealModeLoader.LoadRom(new byte[size + 1], new NativeGuestMemory(_host)));
    }

    private MultibootImage Load(byte[] file) => MultibootLoader.Load(file, new MultibootOptions { CommandLine = "kernel" }, new NativeGuestMemory(_host));

    private uint Word(ulong address) => _host.Read<uint>(new HostPhysicalAddress(address));

    private string Text(ulong address)
    {
        byte[] bytes = new byte[64];
        _host.Read(new HostPhysicalAddress(address), bytes);
        return Encoding.UTF8.GetString(bytes.AsSpan(0, bytes.AsSpan().IndexOf((byte)0)));
    }
}
