using System.Text;
using Mmu86.Loaders;
using Mmu86.Loaders.Elf;
using Mmu86.Loaders.Processes;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

public sealed class LinuxProcessLoaderTests
{
    private const ulong Rsp = 16;

    [Fact]
    public void Load_TypicalProgram_PlacesBytesZerosAndRights()
    {
        using var machine = new LoadedMachine();
        ProcessImage image = machine.LoadProcess(ElfWriter.Typical());

        Assert.Equal(new LinearAddress(0x40_1000), image.Entry);
        Assert.Equal([0xB8, 60, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05], machine.ReadLinear(image.Cr3, 0x40_1000, 9));
        Assert.Equal([7, 8, 0, 0], machine.ReadLinear(image.Cr3, 0x40_3006, 4));

        LoadedMachine.Mapping code = machine.Walk(image.Cr3, 0x40_1000)!.Value;
        Assert.True(code is { Writable: false, Executable: true, User: true, Size: PageSize.Size4K });
        LoadedMachine.Mapping zeros = machine.Walk(image.Cr3, 0x40_4807)!.Value;
        Assert.True(zeros is { Writable: true, Executable: false, User: true });
        Assert.Null(machine.Walk(image.Cr3, 0x40_2000));
        Assert.Null(machine.Walk(image.Cr3, 0x40_5000));
        Assert.Equal(0UL, (code.Entry | zeros.Entry) & (PagingEntry.Accessed | PagingEntry.Dirty));
        Assert.Equal(new LinearAddress(0x40_5000), image.BreakStart);
    }

    [Theory]
    [InlineData(PageSize.Size4K, 1)]
    [InlineData(PageSize.Size2M, 1)]
    [InlineData(PageSize.Size1G, 3)]
    public void Load_EveryPageSize_MapsThatSizeAndLeavesTheGuardUnmapped(PageSize size, int gibibytes)
    {
        using var machine = new LoadedMachine((ulong)gibibytes << 30);
        ProcessImage image = machine.LoadProcess(ElfWriter.Typical(), size);

        Assert.Equal(size, machine.Walk(image.Cr3, 0x40_1000)!.Value.Size);
        Assert.Equal(size, machine.Walk(image.Cr3, image.StackPointer.Value)!.Value.Size);
        Assert.Equal(size, machine.Walk(image.Cr3, ProcessLayout.StackStart.Value)!.Value.Size);
        Assert.Null(machine.Walk(image.Cr3, ProcessLayout.StackStart.Value - 1));
        Assert.Equal([7, 8, 0, 0], machine.ReadLinear(image.Cr3, 0x40_3006, 4));
        if (size != PageSize.Size4K)
            Assert.True(machine.Walk(image.Cr3, 0x40_1000)!.Value is { Writable: true, Executable: true });
    }

    [Fact]
    public void Load_OneGibibytePagesInOneGibibyte_SaysThatMemoryDoesNotSuffice()
    {
        using var machine = new LoadedMachine();
        var error = Assert.Throws<ImageFormatException>(() => machine.LoadProcess(ElfWriter.Typical(), PageSize.Size1G));
        Assert.Contains("no room for segment 0", error.Message);
    }

    [Fact]
    public void Load_Stack_HasWhatTheAbiSays()
    {
        using var machine = new LoadedMachine();
        ProcessImage image = machine.LoadProcess(ElfWriter.Typical());
        ulong at = image.StackPointer.Value;
        Assert.Equal(0UL, at % Rsp);
        Assert.Equal(3UL, Next());
        Assert.Equal(["program", "one", "two"], NextStrings());
        Assert.Equal(["HOME=/", "LANG=C"], NextStrings());

        var vector = new Dictionary<AuxiliaryType, ulong>();
        for (var type = (AuxiliaryType)Next(); type != AuxiliaryType.Null; type = (AuxiliaryType)Next())
            vector.Add(type, Next());
        Assert.Equal(4096UL, vector[AuxiliaryType.PageBytes]);
        Assert.Equal(0x40_1000UL, vector[AuxiliaryType.Entry]);
        Assert.Equal(0x1234UL, vector[AuxiliaryType.HardwareCapabilities]);
        Assert.Equal(0UL, vector[AuxiliaryType.Secure]);
        Assert.Equal("x86_64", Text(vector[AuxiliaryType.Platform]));
        Assert.Equal("./program", Text(vector[AuxiliaryType.ExecutablePath]));
        Assert.NotEqual(new byte[16], machine.ReadLinear(image.Cr3, vector[AuxiliaryType.Random], 16));
        Assert.False(vector.ContainsKey(AuxiliaryType.ProgramHeaders)); // no segment brings them along

        ulong Next()
        {
            at += 8;
            return machine.ReadWord(image.Cr3, at - 8);
        }

        List<string> NextStrings()
        {
            var texts = new List<string>();
            for (ulong pointer = Next(); pointer != 0; pointer = Next())
                texts.Add(Text(pointer));
            return texts;
        }

        string Text(ulong pointer)
        {
            byte[] bytes = machine.ReadLinear(image.Cr3, pointer, (int)Math.Min(64, ProcessLayout.StackEnd.Value - pointer));
            return Encoding.UTF8.GetString(bytes.AsSpan(0, Array.IndexOf(bytes, (byte)0)));
        }
    }

    [Fact]
    public void Load_ArgumentsBeyondAQuarterOfTheStack_AreRefused()
    {
        using var machine = new LoadedMachine();
        ElfFile elf = ElfFile.Parse(ElfWriter.Typical().Write());
        LinuxProcessOptions options = LoadedMachine.Options() with { Arguments = [new string('x', 3 << 20)] };
        var error = Assert.Throws<ImageFormatException>(() => LinuxProcessLoader.Load(elf, machine.Memory, options));
        Assert.Contains("quarter", error.Message);
    }

    [Fact]
    public void Load_StaticPositionIndependent_MovesEntryAndSymbols()
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = new ElfWriter { Type = 3, Entry = 0x1004 }
            .Add(0x1000, [0x90, 0x90, 0x90, 0x90, 0xC3], PageRights.Read | PageRights.Execute)
            .AddSymbol("start", 0x1004);
        ProcessImage image = machine.LoadProcess(writer);

        Assert.Equal(new LinearAddress(ProcessLayout.PositionIndependentBase.Value + 4), image.Entry);
        Assert.Equal([0xC3], machine.ReadLinear(image.Cr3, image.Entry.Value, 1));
        Assert.Equal("start", image.Symbols.Nearest(image.Entry).ToString());
    }

    [Fact]
    public void Load_InterpreterNeeded_IsNotSupportedYet()
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = ElfWriter.Typical().AddHeader(3, 4, Encoding.ASCII.GetBytes("/lib64/ld-linux-x86-64.so.2\0"));
        var error = Assert.Throws<ImageNotSupportedException>(() => machine.LoadProcess(writer));
        Assert.Contains("/lib64/ld-linux-x86-64.so.2", error.Message);
    }

    [Fact]
    public void Load_SegmentsThatShareAPage_GetTheRightsOfBoth()
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = new ElfWriter()
            .Add(0x40_1000, [1, 2, 3, 4], PageRights.Read | PageRights.Execute, alignment: 4)
            .Add(0x40_1800, [5, 6, 7, 8], PageRights.Read | PageRights.Write, memorySize: 0x1000, alignment: 4);
        ProcessImage image = machine.LoadProcess(writer);

        Assert.True(machine.Walk(image.Cr3, 0x40_1000)!.Value is { Writable: true, Executable: true });
        Assert.True(machine.Walk(image.Cr3, 0x40_2000)!.Value is { Writable: true, Executable: false });
        Assert.Equal([1, 2, 3, 4], machine.ReadLinear(image.Cr3, 0x40_1000, 4));
        Assert.Equal([5, 6, 7, 8], machine.ReadLinear(image.Cr3, 0x40_1800, 4));
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(0x7FFF_8000_0000UL)]
    [InlineData(0xFFFF_8000_0000_0000UL)]
    [InlineData(0x7FFF_7FFF_F000UL)]
    public void Load_SegmentOutsideAProcess_IsNamed(ulong linear)
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = new ElfWriter { Entry = linear }
            .Add(linear, [0xC3], PageRights.Read | PageRights.Execute, memorySize: 0x2000);
        var error = Assert.Throws<ImageFormatException>(() => machine.LoadProcess(writer));
        Assert.StartsWith($"Segment 0: p_vaddr 0x{linear:x}", error.Message);
    }

    [Fact]
    public void Load_SegmentLargerThanMemory_IsNamed()
    {
        using var machine = new LoadedMachine();
        ElfWriter writer = ElfWriter.Typical().Add(0x1_0000_0000, [1], PageRights.Read, memorySize: 1UL << 44);
        var error = Assert.Throws<ImageFormatException>(() => machine.LoadProcess(writer));
        Assert.Contains("no room for segment 2", error.Message);
    }
}
