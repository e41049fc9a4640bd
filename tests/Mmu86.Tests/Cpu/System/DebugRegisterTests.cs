using Iced.Intel;
using Mmu86.TestKit.Machines;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>MOV to and from debug registers.</summary>
public sealed class DebugRegisterTests
{
    [Theory]
    [InlineData(0, 0xFFFF_FFFF_FFFF_FFFFUL, 0xFFFF_FFFF_FFFF_FFFFUL)]
    [InlineData(3, 0x1234_5678_9ABC_DEF0UL, 0x1234_5678_9ABC_DEF0UL)]
    [InlineData(6, 0UL, 0xFFFF_0FF0UL)]
    [InlineData(6, 0xFFFF_FFFFUL, 0xFFFF_EFFFUL)]
    [InlineData(4, 0x1UL, 0xFFFF_0FF1UL)]
    [InlineData(7, 0UL, 0x400UL)]
    [InlineData(5, 0xFFFF_DFFFUL, 0xFFFF_07FFUL)]
    public void Mov_OfValue_KeepsWhatIsNotReserved(int number, ulong value, ulong expected)
    {
        using var machine = new BareMachine();
        machine.Registers.Rax = value;
        machine.Assemble(c =>
        {
            c.db(0x0F, 0x23, (byte)(0xC0 | (number << 3))); // mov drN, rax
            c.db(0x0F, 0x21, (byte)(0xC3 | (number << 3))); // mov rbx, drN
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(expected, machine.Registers.Rbx);
    }

    [Theory]
    [InlineData(6)]
    [InlineData(7)]
    public void Mov_OfUpperHalfToControlOrStatus_IsRefused(int number)
    {
        using var machine = new BareMachine();
        machine.Registers.Rax = 1UL << 32;
        machine.Assemble(c => c.db(0x0F, 0x23, (byte)(0xC0 | (number << 3))));

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Mov_OfDr4WithDebuggingExtensions_IsUndefined()
    {
        using var machine = new BareMachine();
        machine.System.Cr4 |= Cr4.DebuggingExtensions;
        machine.Vcpu.ContextChanged();
        machine.Assemble(c => c.mov(rax, dr4));

        Assert.Equal("#UD", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Mov_WithGeneralDetect_TrapsBeforeItAndClearsIt()
    {
        using var machine = new BareMachine();
        machine.System.Dr7 |= 1UL << 13;
        machine.Assemble(c => c.mov(rax, dr0));

        Assert.Equal("#DB", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.Code, machine.Frame(ExceptionVector.Debug).Rip);
        Assert.Equal(RFlags.Resume, machine.Frame(ExceptionVector.Debug).Flags & RFlags.Resume);
        Assert.Equal((1UL << 13, 0UL), (machine.System.Dr6 & (1UL << 13), machine.System.Dr7 & (1UL << 13)));
    }

    [Fact]
    public void Mov_InRing3_IsRefused()
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Assemble(c => c.mov(rax, dr0));

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }
}
