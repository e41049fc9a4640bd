using Iced.Intel;
using Mmu86.TestKit.Machines;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>Alignment checks. SDM 3, "Interrupt 17—Alignment Check Exception (#AC)".</summary>
public sealed class AlignmentCheckTests
{
    // name, misalignment, whether it is refused
    [Theory]
    [InlineData("load1", 1, false)]
    [InlineData("load2", 1, true)]
    [InlineData("load2", 2, false)]
    [InlineData("load4", 2, true)]
    [InlineData("load4", 4, false)]
    [InlineData("load8", 4, true)]
    [InlineData("load8", 8, false)]
    [InlineData("store4", 1, true)]
    [InlineData("store8", 4, true)]
    [InlineData("add4", 3, true)]
    [InlineData("movs2", 1, true)]
    [InlineData("push", 4, true)]
    [InlineData("repmovs4", 2, true)]
    [InlineData("repmovs1", 1, false)]
    public void Access_ThatIsMisaligned_IsRefusedAtLevel3(string name, int misalignment, bool isRefused)
    {
        using BareMachine machine = Prepare(name, misalignment);
        machine.System.Cr0 |= Cr0.AlignmentMask;
        machine.Registers.Flags = RFlags.AlignmentCheck;
        machine.Vcpu.ContextChanged();

        Assert.Equal(isRefused ? "#AC 0x0" : "#UD", MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(Cr0.None, RFlags.AlignmentCheck)]
    [InlineData(Cr0.AlignmentMask, RFlags.None)]
    public void Access_ThatIsMisaligned_PassesUnlessBothBitsAreSet(Cr0 mask, RFlags flag)
    {
        using BareMachine machine = Prepare("load8", 1);
        machine.System.Cr0 |= mask;
        machine.Registers.Flags = flag;
        machine.Vcpu.ContextChanged();

        Assert.Equal("#UD", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Access_AtLevel0_IsNeverChecked()
    {
        using var machine = new BareMachine();
        machine.System.Cr0 |= Cr0.AlignmentMask;
        machine.Registers.Flags = RFlags.AlignmentCheck;
        machine.Vcpu.ContextChanged();
        machine.Registers.Rsi = BareMachine.Data + 1;
        machine.Assemble(c =>
        {
            c.mov(rax, __qword_ptr[rsi]);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Access_WarmInTheTlb_IsCheckedOnceTheFlagIsSet()
    {
        using BareMachine machine = Prepare("load8", 1);
        machine.System.Cr0 |= Cr0.AlignmentMask;
        machine.Vcpu.ContextChanged();
        machine.Assemble(c =>
        {
            c.mov(rax, __qword_ptr[rsi]);
            c.pushfq();
            c.or(__dword_ptr[rsp], (int)RFlags.AlignmentCheck);
            c.popfq();
            c.mov(rax, __qword_ptr[rsi]);
        });

        Assert.Equal("#AC 0x0", MachineOutcome.Run(machine));

        Assert.Equal(3UL + 1 + 7 + 1, machine.Frame(ExceptionVector.AlignmentCheck).Rip - BareMachine.UserCode);
    }

    private static BareMachine Prepare(string name, int misalignment)
    {
        var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Registers.Rsi = BareMachine.UserData + (ulong)misalignment;
        machine.Registers.Rdi = BareMachine.UserData + 0x100;
        machine.Registers.Rcx = 4;
        if (name == "push")
            machine.Registers.Rsp = BareMachine.UserStackTop - (ulong)misalignment;
        machine.Assemble(c =>
        {
            switch (name)
            {
                case "load1": c.mov(al, __byte_ptr[rsi]); break;
                case "load2": c.mov(ax, __word_ptr[rsi]); break;
                case "load4": c.mov(eax, __dword_ptr[rsi]); break;
                case "load8": c.mov(rax, __qword_ptr[rsi]); break;
                case "store4": c.mov(__dword_ptr[rsi], eax); break;
                case "store8": c.mov(__qword_ptr[rsi], rax); break;
                case "add4": c.add(__dword_ptr[rsi], eax); break;
                case "movs2": c.movsw(); break;
                case "push": c.push(rax); break;
                case "repmovs4": c.rep.movsd(); break;
                case "repmovs1": c.rep.movsb(); break;
                default: throw new ArgumentException(name);
            }

            c.ud2();
        });
        return machine;
    }
}
