using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.Tests.Paging;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Strings;

/// <summary>Repeated string instructions that store into code: the same registers and counts whether or not accesses are looked up one by one.</summary>
public sealed class StringSelfModificationTests
{
    private const byte Nop = 0x90;
    private const ulong Code = StringMachine.Code;

    public static TheoryData<bool> EachMachine => [false, true];

    [Theory]
    [MemberData(nameof(EachMachine))]
    public void RepStos_IntoItself_IsFetchedAgainBehindTheElement(bool looksUpEveryAccess)
    {
        // F3 AA at Code becomes 90 AA: a NOP and a STOS that stores one element.
        using StringMachine machine = Run(looksUpEveryAccess, 0, Code, 50, "F3 AA");

        Assert.Equal((49UL, Code + 2), (machine.Registers.Rcx, machine.Registers.Rdi));
        // NOP, STOS, end; and the REP STOS that did not retire was fetched too.
        Assert.Equal((3UL, 4UL, 1UL, 2UL), Counts(machine));
    }

    [Theory]
    [MemberData(nameof(EachMachine))]
    public void RepStos_IntoOtherCodeAndThenItself_IsFetchedAgainBehindTheElement(bool looksUpEveryAccess)
    {
        // The program jumps over the fill at offset 0x300, runs code at 0x140, and comes back to it.
        using StringMachine machine = Machine(looksUpEveryAccess);
        machine.Load(assembler =>
        {
            var other = assembler.CreateLabel();
            var fill = assembler.CreateLabel();
            assembler.jmp(other);
            while (assembler.Instructions.Count < 0x140 - 5 + 1)
                assembler.nop();
            assembler.Label(ref other);
            assembler.inc(rbx);
            assembler.jmp(fill);
            while (assembler.Instructions.Count < 0x400)
                assembler.nop();
            assembler.Label(ref fill);
            assembler.rep.stosb();
            StringMachine.End(assembler);
        });
        ulong at = Find(machine, [0xF3, 0xAA]);
        machine.Registers.Rdi = Code + 0x100;
        machine.Registers.Rcx = 0x1000;
        machine.Registers.Rax = Nop;

        Assert.Equal(VmExitReason.Marker, machine.Run().Reason);

        Assert.Equal(at + 2, machine.Registers.Rdi);
        Assert.Equal(0x1000 - (at + 1 - Code - 0x100), machine.Registers.Rcx);
        CpuCounters counters = machine.Vcpu.Counters;
        Assert.Equal((6UL, 7UL, at + 1 - Code - 0x100), (counters.Instructions, counters.FetchLookups, counters.RepIterations));
    }

    [Theory]
    [MemberData(nameof(EachMachine))]
    public void RepStos_IntoTheSecondPageOfItself_IsFetchedAgainBehindTheElement(bool looksUpEveryAccess)
    {
        // The opcode lies in the next page: storing B0 00 there makes it F3 B0 00, MOV AL, 0.
        using StringMachine machine = Run(looksUpEveryAccess, 0xFFF, Code + 0x1000, 9, "F3 AA 00", 0xB0);

        Assert.Equal((8UL, Code + 0x1001, 0UL), (machine.Registers.Rcx, machine.Registers.Rdi, machine.Registers.Rax));
        // Both attempts of the instruction take two fetches.
        Assert.Equal((2UL, 5UL, 1UL, 1UL), Counts(machine));
    }

    [Theory]
    [InlineData(false, 2)]
    [InlineData(false, 200)]
    [InlineData(true, 2)]
    [InlineData(true, 200)]
    public void RepStos_IntoCodeBehindIt_RunsTheNewCodeWithoutAnotherFetch(bool looksUpEveryAccess, int distance)
    {
        using StringMachine machine = Machine(looksUpEveryAccess);
        machine.Load(assembler =>
        {
            assembler.rep.stosb();
            for (int i = 2; i < distance; i++)
                assembler.nop();
            assembler.inc(rbx);
            StringMachine.End(assembler);
        });
        machine.Registers.Rdi = Code + (ulong)distance;
        machine.Registers.Rcx = 3;
        machine.Registers.Rax = Nop;

        Assert.Equal(VmExitReason.Marker, machine.Run().Reason);

        Assert.Equal(0UL, machine.Registers.Rbx);
        ulong instructions = 1 + (ulong)(distance - 2) + 3 + 1;
        Assert.Equal((instructions, instructions, 3UL, 3UL), Counts(machine));
    }

    // Bytes of an instruction at an offset, a REP STOS of a value to a target, and the end behind it.
    private static StringMachine Run(bool looksUpEveryAccess, int offset, ulong target, ulong count, string bytes, byte value = Nop)
    {
        StringMachine machine = Machine(looksUpEveryAccess);
        machine.Load(assembler =>
        {
            for (int i = 0; i < offset; i++)
                assembler.db(Nop);
            assembler.db(Convert.FromHexString(bytes.Replace(" ", "", StringComparison.Ordinal)));
            StringMachine.End(assembler);
        });
        machine.Registers.Rip = Code + (ulong)offset;
        machine.Registers.Rdi = target;
        machine.Registers.Rcx = count;
        machine.Registers.Rax = value;
        Assert.Equal(VmExitReason.Marker, machine.Run().Reason);
        return machine;
    }

    private static ulong Find(StringMachine machine, byte[] bytes) => Code + (ulong)machine.ReadCode().AsSpan().IndexOf(bytes);

    private static (ulong Instructions, ulong Fetches, ulong Iterations, ulong Stores) Counts(StringMachine machine)
    {
        CpuCounters counters = machine.Vcpu.Counters;
        return (counters.Instructions, counters.FetchLookups, counters.RepIterations, counters.Stores);
    }

    private static StringMachine Machine(bool looksUpEveryAccess)
    {
        var machine = new StringMachine(Machines.Skylake with { LookUpEveryAccess = looksUpEveryAccess });
        machine.Registers.Flags = RFlags.Reserved1;
        return machine;
    }
}
