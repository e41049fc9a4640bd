using Iced.Intel;
using Mmu86.TestKit.Machines;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>CPUID, RDTSC and their kin.</summary>
public sealed class ProcessorIdentificationTests
{
    private const ulong OsXsave = 1UL << 27;
    private const ulong Apic = 1UL << 9;

    [Fact]
    public void Cpuid_OfLeaf1_HasTheBitsThatDependOnTheState()
    {
        using var machine = new BareMachine();
        machine.Registers.Rbx = ulong.MaxValue;
        machine.Assemble(c =>
        {
            c.mov(rax, 0x7777_0000_0001);
            c.cpuid();
            c.hlt();
            c.mov(eax, 1);
            c.cpuid();
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));
        Assert.Equal((0x506E3UL, 0x10800UL), (machine.Registers.Rax, machine.Registers.Rbx));
        Assert.Equal(uint.MaxValue & ~OsXsave, machine.Registers.Rcx);
        Assert.Equal(Apic, machine.Registers.Rdx & Apic);

        machine.System.ApicBase &= ~(1UL << 11);
        Assert.Equal("halt", MachineOutcome.Run(machine));
        Assert.Equal(0UL, machine.Registers.Rdx & Apic);
    }

    [Fact]
    public void Rdtsc_AfterInstructions_ReadsTheirNumber()
    {
        using var machine = new BareMachine();
        machine.System.TscAux = 0x1234;
        machine.Assemble(c =>
        {
            c.nop();
            c.rdtsc();
            c.mov(ebx, eax);
            c.rdtscp();
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal((1UL, 3UL, 0x1234UL), (machine.Registers.Rbx, machine.Registers.Rax, machine.Registers.Rcx));
    }

    [Theory]
    [InlineData(false, "#UD")]
    [InlineData(true, "#GP 0x0")]
    public void Rdtsc_InRing3_IsUpToTsd(bool isDisabled, string outcome)
    {
        using var machine = new BareMachine();
        if (isDisabled)
        {
            machine.System.Cr4 |= Cr4.TimeStampDisable;
            machine.Vcpu.ContextChanged();
        }

        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.rdtsc();
            c.rdtscp();
            c.ud2();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Fact]
    public void Rdtscp_WithoutTheFeature_IsUndefined()
    {
        using var machine = new BareMachine(new BareMachineOptions { Cpuid = new FullCpuid { ExtendedEdxWithout = 1u << 27 } });
        machine.Assemble(c => c.rdtscp());

        Assert.Equal("#UD", MachineOutcome.Run(machine));
    }
}
