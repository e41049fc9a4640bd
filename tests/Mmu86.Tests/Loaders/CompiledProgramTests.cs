using System.Diagnostics;
using Mmu86.Loaders;
using Mmu86.Loaders.Elf;
using Mmu86.Loaders.Processes;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Loaders;

/// <summary>Files that gcc and its linker wrote.</summary>
public sealed class CompiledProgramTests
{
    private const string Source = """
        int counter[1000] = { 1, 2, 3 };
        int zeros[5000];
        __attribute__((noinline)) int helper(int x) { return counter[x & 3] + zeros[x & 7]; }
        void _start(void) { volatile int r = helper(2); (void)r; for (;;); }
        """;

    [SkippableTheory]
    [InlineData("-static")]
    [InlineData("-static -no-pie")]
    [InlineData("-static-pie -fPIE")]
    [InlineData("-static -no-pie -Wl,-z,noseparate-code")]
    [InlineData("-static -no-pie -Wl,-n")]
    public void Load_StaticProgram_IsPlacedAsTheLinkerMeant(string options)
    {
        byte[] file = Compile(options);
        ElfFile elf = ElfFile.Parse(file);
        using var machine = new LoadedMachine();
        ProcessImage image = LinuxProcessLoader.Load(elf, machine.Memory, LoadedMachine.Options());

        Assert.True(image.Symbols.TryFind("_start", out LinearAddress start));
        Assert.Equal(image.Entry, start);
        Assert.True(image.Symbols.TryFind("counter", out LinearAddress counter));
        Assert.Equal([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0], machine.ReadLinear(image.Cr3, counter.Value, 12));
        Assert.True(image.Symbols.TryFind("zeros", out LinearAddress zeros));
        Assert.Equal(new byte[20000], machine.ReadLinear(image.Cr3, zeros.Value, 20000));
        Assert.True(image.BreakStart.Value >= zeros.Value + 20000);
        Assert.True(image.Symbols.TryFind("helper", out LinearAddress helper));
        Assert.Equal("helper+0x1", image.Symbols.Nearest(new LinearAddress(helper.Value + 1)).ToString());
    }

    [SkippableFact]
    public void Parse_StaticProgram_FindsItsProgramHeadersInMemory()
    {
        byte[] file = Compile("-static -no-pie");
        ElfFile elf = ElfFile.Parse(file);
        using var machine = new LoadedMachine();
        ProcessImage image = LinuxProcessLoader.Load(elf, machine.Memory, LoadedMachine.Options());

        int bytes = elf.ProgramHeaderCount * 56;
        Assert.Equal(file[64..(64 + bytes)], machine.ReadLinear(image.Cr3, elf.ProgramHeaders!.Value.Value, bytes));
    }

    [SkippableFact]
    public void Load_DynamicProgram_IsNotSupportedYet()
    {
        ElfFile elf = ElfFile.Parse(Compile("-pie -fPIE"));
        using var machine = new LoadedMachine();
        Assert.Throws<ImageNotSupportedException>(() => LinuxProcessLoader.Load(elf, machine.Memory, LoadedMachine.Options()));
    }

    private static byte[] Compile(string options)
    {
        TestTiers.Require(TestTier.Ci);
        string gcc = TestTiers.RequireProgram("gcc");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("mmu86-loaders-");
        try
        {
            string source = Path.Combine(folder.FullName, "program.c");
            string output = Path.Combine(folder.FullName, "program");
            File.WriteAllText(source, Source);
            string[] arguments = [.. options.Split(' '), "-nostdlib", "-fno-stack-protector", "-O1", "-o", output, source];
            using Process process = Process.Start(new ProcessStartInfo(gcc, arguments) { RedirectStandardError = true })!;
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, errors);
            return File.ReadAllBytes(output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
