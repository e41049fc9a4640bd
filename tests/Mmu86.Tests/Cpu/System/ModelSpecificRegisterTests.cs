using Iced.Intel;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>RDMSR and WRMSR.</summary>
public sealed class ModelSpecificRegisterTests
{
    /// <summary>The table of values.</summary>
    public static TheoryRows Rules => RuleTable.Read("model-specific-registers.txt");

    [Theory]
    [MemberData(nameof(Rules))]
    [Rule("P14")]
    public void Wrmsr_OfTheTable_IsAllowedOrRefused(string line)
    {
        string[] columns = RuleTable.Columns(line);
        var number = (uint)RuleTable.Number(columns[0]);
        ulong value = RuleTable.Number(columns[1]);
        string outcome = RuleTable.Words(columns[2])[0];
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.mov(ecx, unchecked((int)number));
            if (outcome != "ro")
            {
                c.mov(rax, value);
                c.mov(rdx, rax);
                c.shr(rdx, 32);
                c.wrmsr();
            }

            c.mov(rax, -1L);
            c.mov(rdx, -1L);
            c.rdmsr();
            c.hlt();
        });

        Assert.Equal(outcome == "gp" ? "#GP 0x0" : "halt", MachineOutcome.Run(machine));

        if (outcome != "gp")
        {
            Assert.Equal(value & uint.MaxValue, machine.Registers.Rax);
            Assert.Equal(value >> 32, machine.Registers.Rdx);
        }
    }

    [Fact]
    public void Wrmsr_OfReadOnlyCapabilities_IsRefused()
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.mov(ecx, 0xFE);
            c.wrmsr();
        });

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Instruction_InRing3_IsRefused(bool isWrite)
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.mov(ecx, 0x10);
            if (isWrite)
                c.wrmsr();
            else
                c.rdmsr();
        });

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Wrmsr_OfTimeStampCounter_SetsWhatRdtscReads()
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.mov(ecx, 0x10);
            c.mov(eax, 0x1000);
            c.mov(edx, 7);
            c.wrmsr();
            c.nop();
            c.rdtsc();
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        // The clock counts instructions: WRMSR itself and NOP.
        Assert.Equal(0x1002UL, machine.Registers.Rax);
        Assert.Equal(7UL, machine.Registers.Rdx);
    }
}
