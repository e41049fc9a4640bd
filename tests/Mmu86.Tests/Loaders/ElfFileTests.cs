using System.Globalization;
using System.Text;
using Mmu86.Loaders;
using Mmu86.Loaders.Elf;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

public sealed class ElfFileTests
{
    public static TheoryData<string, string> HeaderCases() => ToTheory("elf-headers.txt");

    public static TheoryData<string, string> SymbolCases() => ToTheory("elf-symbols.txt");

    [Theory]
    [MemberData(nameof(HeaderCases))]
    public void Parse_ChangedHeaders_LoadsOrNamesTheField(string changes, string expected)
    {
        byte[] file = ElfPatch.Apply(ElfWriter.Typical().Write(), changes);
        if (expected == "loads")
        {
            Assert.NotEmpty(ElfFile.Parse(file).Segments);
            return;
        }

        var error = Assert.ThrowsAny<ImageFormatException>(() => ElfFile.Parse(file));
        Assert.Contains(expected, error.Message);
        Assert.EndsWith(".", error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [MemberData(nameof(SymbolCases))]
    public void Symbols_ChangedTables_AreReadOrMissing(string changes, string expected)
    {
        byte[] file = ElfPatch.Apply(WithSymbols().Write(), changes);
        SymbolTable symbols = ElfFile.Parse(file).Symbols;
        Assert.Equal(int.Parse(expected, CultureInfo.InvariantCulture), symbols.Count);
        _ = symbols.Nearest(new LinearAddress(0x40_1004));
        _ = symbols.TryFind("start", out _);
    }

    [Fact]
    public void Parse_TypicalFile_RoundTrips()
    {
        ElfFile elf = ElfFile.Parse(ElfWriter.Typical().Write());
        Assert.Equal(ElfType.Executable, elf.Type);
        Assert.Equal(new LinearAddress(0x40_1000), elf.Entry);
        Assert.Equal(2, elf.ProgramHeaderCount);
        Assert.False(elf.IsStandalone);
        Assert.False(elf.StackIsExecutable);
        Assert.Null(elf.Interpreter);
        Assert.Null(elf.ProgramHeaders);

        ElfSegment data = elf.Segments[1];
        Assert.Equal((1, new LinearAddress(0x40_3000), 0x1808UL), (data.Index, data.Linear, data.MemorySize));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], data.Bytes.ToArray());
        Assert.Equal(PageRights.Read | PageRights.Write, data.Rights);
    }

    [Fact]
    public void Parse_SegmentsInAnyOrder_AreAscendingByAddress()
    {
        ElfWriter writer = new ElfWriter()
            .Add(0x50_0000, [2], PageRights.Read)
            .Add(0x40_1000, [1], PageRights.Read | PageRights.Execute);
        Assert.Equal([1, 0], ElfFile.Parse(writer.Write()).Segments.Select(segment => segment.Index));
    }

    [Fact]
    public void Parse_SegmentThatBringsTheProgramHeaders_SaysWhereTheyAre()
    {
        byte[] file = ElfWriter.Typical().Write();

        // Segment 0 becomes the whole beginning of the file, as linkers do it.
        file = ElfPatch.Apply(file, "p0.p_offset=0 p0.p_vaddr=0x400000 p0.p_paddr=0x400000 p0.p_filesz=0x1009 p0.p_memsz=0x1009");
        Assert.Equal(new LinearAddress(0x40_0040), ElfFile.Parse(file).ProgramHeaders);
        file = ElfPatch.Apply(file, "p0.p_offset=0x1000 p0.p_vaddr=0x401000 p0.p_filesz=9 p0.p_memsz=9");
        Assert.Null(ElfFile.Parse(file).ProgramHeaders);
    }

    [Theory]
    [InlineData(6u, false)]
    [InlineData(7u, true)]
    public void Parse_GnuStack_SaysWhetherTheStackIsExecutable(uint flags, bool executable)
    {
        const uint GnuStack = 0x6474_E551;
        ElfFile elf = ElfFile.Parse(ElfWriter.Typical().AddHeader(GnuStack, flags, []).Write());
        Assert.Equal(executable, elf.StackIsExecutable);
    }

    [Theory]
    [InlineData("/lib64/ld.so\0garbage", "/lib64/ld.so")]
    [InlineData("", "?")]
    [InlineData("\u0001\u0002\0", "?")]
    [InlineData("\u001B[31mred\0", "?")]
    public void Parse_Interpreter_IsAPathThatMayBePrinted(string bytes, string path)
    {
        ElfWriter writer = ElfWriter.Typical().AddHeader(3, 4, Encoding.Latin1.GetBytes(bytes));
        Assert.Equal(path, ElfFile.Parse(writer.Write()).Interpreter);
    }

    [Fact]
    public void Symbols_Nearest_EndsWhereTheSymbolEnds()
    {
        SymbolTable symbols = ElfFile.Parse(WithSymbols().Write()).Symbols;
        Assert.Null(symbols.Nearest(new LinearAddress(0x40_0FFF)));
        Assert.Equal("start", symbols.Nearest(new LinearAddress(0x40_1000)).ToString());
        Assert.Equal("start+0x3", symbols.Nearest(new LinearAddress(0x40_1003)).ToString());
        Assert.Null(symbols.Nearest(new LinearAddress(0x40_1004))); // start has 4 bytes
        Assert.Equal("loop+0x10", symbols.Nearest(new LinearAddress(0x40_1015)).ToString()); // loop has no size
    }

    [Fact]
    public void Symbols_Find_PrefersTheGlobalOne()
    {
        const byte Local = 0x00, Global = 0x10;
        ElfWriter writer = ElfWriter.Typical()
            .AddSymbol("twice", 0x40_1000, info: Local)
            .AddSymbol("twice", 0x40_1003, info: Global)
            .AddSymbol("twicer", 0x40_1001, info: Global);
        SymbolTable symbols = ElfFile.Parse(writer.Write()).Symbols;

        Assert.True(symbols.TryFind("twice", out LinearAddress address));
        Assert.Equal(new LinearAddress(0x40_1003), address);
        Assert.False(symbols.TryFind("twi", out _));
        Assert.False(symbols.TryFind("", out _));
        Assert.True(symbols.Moved(0x1000).TryFind("twicer", out address));
        Assert.Equal(new LinearAddress(0x40_2001), address);
    }

    private static ElfWriter WithSymbols() => ElfWriter.Typical()
        .AddSymbol("start", 0x40_1000, size: 4, info: 0x12)
        .AddSymbol("loop", 0x40_1005)
        .AddSymbol("data", 0x40_3000, size: 8, info: 0x11);

    private static TheoryData<string, string> ToTheory(string table)
    {
        var data = new TheoryData<string, string>();
        foreach ((string changes, string expected) in ElfPatch.ReadTable(table))
            data.Add(changes, expected);
        return data;
    }
}
