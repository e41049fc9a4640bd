using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.Tests.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Cpu.Strings;

/// <summary>String instructions against a literal model of one element after the other.</summary>
public sealed class StringModelTests
{
    private static readonly int s_cases = TestTiers.Pick(150, 500, 500);

    private const string DirectMapped = "direct-mapped";

    public static TheoryData<string> Geometries => new(FuzzMachines.Names.Append(DirectMapped));

    [Theory]
    [MemberData(nameof(Geometries))]
    public void Strings_RandomCases_GiveWhatTheModelGives(string geometry)
    {
        const int Seed = 20240601;
        MmuConfiguration configuration = Configuration(geometry);
        using var filtered = new StringMachine(configuration with { LookUpEveryAccess = false });
        using var looking = new StringMachine(configuration with { LookUpEveryAccess = true });
        var random = new Random(Seed);
        for (int i = 0; i < s_cases; i++)
        {
            StringCase instruction = StringCaseGenerator.Next(random);
            byte[] data = StringCaseGenerator.Fill(random);
            string label = $"seed {Seed}, case {i} on {geometry}: {instruction}";
            byte[] expected = (byte[])data.Clone();
            var model = new StringModel(expected, StringMachine.Data);
            RFlags before = RFlags.Reserved1 | RFlags.Carry | (instruction.Backward ? RFlags.Direction : 0);
            model.Run(instruction, before);
            CheckOne(filtered, instruction, data, before, model, expected, label);
            CheckOne(looking, instruction, data, before, model, expected, label);
            Assert.Equal(StatisticsText.Of(looking.Vcpu.Statistics), StatisticsText.Of(filtered.Vcpu.Statistics));
        }
    }

    // In a direct-mapped array source and destination of one set evict each other with every element.
    private static MmuConfiguration Configuration(string geometry) => geometry == DirectMapped
        ? TestMmuConfigurations.SmallSkylake() with
        {
            L1Data = TestMmuConfigurations.Level(TestMmuConfigurations.Array("l1d", 4, 1, IndexHash.Linear, Replacement.Lru, "4k")),
        }
        : FuzzMachines.Get(geometry);

    private static void CheckOne(
        StringMachine machine, StringCase instruction, byte[] data, RFlags before, StringModel model, byte[] expected, string label)
    {
        machine.Write(0, data);
        machine.Load(assembler =>
        {
            assembler.db(instruction.Encode());
            StringMachine.End(assembler);
        });
        RegisterFile registers = machine.Registers;
        registers.Rsi = instruction.Rsi;
        registers.Rdi = instruction.Rdi;
        registers.Rcx = instruction.Rcx;
        registers.Rax = instruction.Rax;
        registers.FsBase = instruction.FsBase;
        registers.Flags = before;
        CpuCounters counters = machine.Vcpu.Counters.Clone();
        VmExit exit = machine.Run();
        Assert.True(exit.Reason == VmExitReason.Marker, $"{label}: {exit}");
        CpuCounters after = machine.Vcpu.Counters;
        Assert.True(machine.ReadAll().AsSpan().SequenceEqual(expected), $"{label}: memory");
        Assert.True(
            (registers.Rsi, registers.Rdi, registers.Rcx, registers.Rax) == (model.Rsi, model.Rdi, model.Rcx, model.Rax),
            $"{label}: registers {registers.Rsi:x} {registers.Rdi:x} {registers.Rcx:x} {registers.Rax:x}, not {model.Rsi:x} {model.Rdi:x} {model.Rcx:x} {model.Rax:x}");
        Assert.True(registers.Flags == model.Flags, $"{label}: flags {registers.Flags}, not {model.Flags}");
        Assert.True(
            (after.Loads - counters.Loads, after.Stores - counters.Stores, after.Splits - counters.Splits, after.RepIterations - counters.RepIterations)
                == (model.Loads, model.Stores, model.Splits, model.Iterations),
            $"{label}: counts");
        Assert.Equal(counters.Instructions + 2, after.Instructions);
        Assert.Equal(counters.DataLookups + model.Loads + model.Stores + model.Splits, after.DataLookups);
    }
}
