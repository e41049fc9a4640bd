using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>Which values control registers take, and what else the writes do.</summary>
public sealed class ControlRegisterTests
{
    private const uint ExtendedFeaturesNumber = 0xC000_0080;

    /// <summary>The table of rules.</summary>
    public static TheoryRows Rules => RuleTable.Read("control-registers.txt");

    [Theory]
    [MemberData(nameof(Rules))]
    [Rule("P02")]
    [Rule("P12")]
    [Rule("T10")]
    [Rule("R09")]
    public void Write_OfTheTable_IsAllowedOrRefused(string line)
    {
        string[] columns = RuleTable.Columns(line);
        var words = new ControlRegisterWords(columns[0]);
        using var machine = new BareMachine(new BareMachineOptions { Cpuid = words.Cpuid });
        words.Apply(machine.System);
        (string register, ulong value) = ControlRegisterWords.Parse(machine.System, columns[1]);
        var features = new ProcessorFeatures(words.Cpuid);

        bool isAllowed = register switch
        {
            "cr0" => ControlRegisterRules.AllowsCr0(machine.System, value),
            "cr3" => ControlRegisterRules.AllowsCr3(machine.System, features, value),
            "cr4" => ControlRegisterRules.AllowsCr4(machine.System, features, value),
            _ => ControlRegisterRules.AllowsEfer(machine.System, features, value),
        };

        Assert.Equal(columns[2] != "gp", isAllowed);
        if (words.CanRun && register != "cr3")
            CheckByRunning(machine, register, value, columns[2]);
    }

    [Fact]
    [Rule("P12")]
    public void MovFromCr3_AfterWriteWithKeepHint_DoesNotShowIt()
    {
        using var machine = new BareMachine();
        machine.System.Cr4 |= Cr4.PcidEnable;
        machine.Vcpu.ContextChanged();
        ulong root = machine.Tables.Root.Value;
        machine.Assemble(c =>
        {
            c.mov(rax, root | 5 | (1UL << 63));
            c.mov(cr3, rax);
            c.mov(rbx, cr3);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(root | 5, machine.Registers.Rbx);
        Assert.Equal(5, machine.Mmu.Context.Pcid);
    }

    [Theory]
    [InlineData(0x5UL, 0x5UL)]
    [InlineData(0xFUL, 0xFUL)]
    public void MovToCr8_Value_IsTheUpperHalfOfTheTaskPriority(ulong value, ulong expected)
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.mov(rax, value);
            c.mov(cr8, rax);
            c.mov(rbx, cr8);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(expected, machine.Registers.Rbx);
        Assert.Equal(value << 4, machine.System.TaskPriority);
    }

    [Fact]
    public void MovToCr8_MoreThanFourBits_IsRefused()
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.mov(eax, 0x10);
            c.mov(cr8, rax);
        });

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Lmsw_WithPeClear_LeavesPeSet()
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.mov(eax, 0xE);
            c.lmsw(ax);
            c.smsw(ebx);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(0xFUL, machine.Registers.Rbx & 0xF);
    }

    [Fact]
    public void Clts_AfterTaskSwitch_ClearsOnlyTs()
    {
        using var machine = new BareMachine();
        machine.System.Cr0 |= Cr0.TaskSwitched;
        Cr0 before = machine.System.Cr0;
        machine.Assemble(c =>
        {
            c.clts();
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(before & ~Cr0.TaskSwitched, machine.System.Cr0);
    }

    [Fact]
    [Rule("R02")]
    [Rule("T20")]
    public void MovToCr0_ClearingWp_LetsTheNextStoreIntoReadOnlyPageThrough()
    {
        using var machine = new BareMachine();
        machine.Tables.Change(new LinearAddress(BareMachine.Data), 1, 0, PagingEntry.Writable);
        machine.Assemble(c =>
        {
            c.mov(rcx, BareMachine.Data);
            c.mov(rdx, __qword_ptr[rcx]);
            c.mov(rax, cr0);
            c.and(eax, ~0x1_0000);
            c.mov(cr0, rax);
            c.mov(__qword_ptr[rcx], rax);
            c.or(eax, 0x1_0000);
            c.mov(cr0, rax);
            c.mov(__qword_ptr[rcx], rax);
        });

        Assert.Equal("#PF 0x3", MachineOutcome.Run(machine));

        Assert.Equal(0x8000_0031UL, machine.Read(BareMachine.Data));
    }

    [Theory]
    [InlineData("cr3", true)]
    [InlineData("pge", true)]
    [InlineData("smep", true)]
    [InlineData("pcide", true)]
    [InlineData("global, cr3", false)]
    [InlineData("global, pge", true)]
    [InlineData("global, pcide", true)]
    [InlineData("smep off", false)]
    [InlineData("tsd", false)]
    [InlineData("keep", false)]
    [Rule("T08")]
    [Rule("T09")]
    public void Write_ThatDemandsInvalidation_ForgetsAPageTakenAway(string how, bool forgets)
    {
        using var machine = new BareMachine();
        machine.System.Cr4 |= Cr4.PcidEnable | (how == "smep off" ? Cr4.Smep : 0);
        if (how.StartsWith("global", StringComparison.Ordinal))
            machine.Tables.Change(new LinearAddress(BareMachine.Data), 1, PagingEntry.Global, 0);
        machine.Vcpu.ContextChanged();
        ulong entry = machine.Tables.EntryAddress(new LinearAddress(BareMachine.Data), 1).Value;
        machine.Tables.Map(new LinearAddress(0x5000_0000), new GuestPhysicalAddress(entry), PageSize.Size4K, PagingEntry.Present | PagingEntry.Writable);
        machine.Assemble(c =>
        {
            c.mov(rcx, BareMachine.Data);
            c.mov(rdx, __qword_ptr[rcx]);
            c.mov(rdi, 0x5000_0000 | (entry & 0xFFF));
            c.and(__byte_ptr[rdi], 0xFE);
            if (how.EndsWith("cr3", StringComparison.Ordinal) || how == "keep")
            {
                c.mov(rax, cr3);
                if (how == "keep")
                    c.bts(rax, 63);
                c.mov(cr3, rax);
            }
            else
            {
                c.mov(rax, cr4);
                c.xor(eax, how.Split(' ')[^1] switch { "pge" => 1 << 7, "pcide" => 1 << 17, "tsd" => 1 << 2, _ => 1 << 20 });
                c.mov(cr4, rax);
            }

            c.mov(rdx, __qword_ptr[rcx]);
            c.hlt();
        });

        Assert.Equal(forgets ? "#PF 0x0" : "halt", MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData("mov rax, cr0")]
    [InlineData("mov cr3, rax")]
    [InlineData("clts")]
    [InlineData("lmsw ax")]
    public void Instruction_InRing3_IsRefused(string text)
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            switch (text)
            {
                case "mov rax, cr0": c.mov(rax, cr0); break;
                case "mov cr3, rax": c.mov(cr3, rax); break;
                case "clts": c.clts(); break;
                default: c.lmsw(ax); break;
            }
        });

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Mov_OfControlRegisterThatDoesNotExist_IsUndefined()
    {
        using var machine = new BareMachine();
        machine.Assemble(c => c.mov(cr1, rax));

        Assert.Equal("#UD", MachineOutcome.Run(machine));
    }

    private static void CheckByRunning(BareMachine machine, string register, ulong value, string outcome)
    {
        machine.Vcpu.ContextChanged();
        ulong before = Value(machine.System, register);
        machine.Assemble(c =>
        {
            c.mov(rax, value);
            switch (register)
            {
                case "cr0": c.mov(cr0, rax); break;
                case "cr4": c.mov(cr4, rax); break;
                default:
                    c.mov(rdx, rax);
                    c.shr(rdx, 32);
                    c.mov(ecx, unchecked((int)ExtendedFeaturesNumber));
                    c.wrmsr();
                    break;
            }

            c.hlt();
        });

        Assert.Equal(outcome == "gp" ? "#GP 0x0" : "halt", MachineOutcome.Run(machine));

        ulong expected = outcome switch
        {
            "gp" => before,
            "ok" => value,
            _ => RuleTable.Number(outcome),
        };
        Assert.Equal(expected, Value(machine.System, register));
    }

    private static ulong Value(SystemState system, string register) => register switch
    {
        "cr0" => (ulong)system.Cr0,
        "cr4" => (ulong)system.Cr4,
        _ => (ulong)system.Efer,
    };
}
