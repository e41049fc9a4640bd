using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>Loads of segment registers and of their bases.</summary>
public sealed class SegmentLoadTests
{
    private static readonly Dictionary<string, AssemblerRegisterSegment> Names = new()
    {
        ["ds"] = ds,
        ["es"] = es,
        ["fs"] = fs,
        ["gs"] = gs,
        ["ss"] = ss,
    };

    /// <summary>The table of loads.</summary>
    public static TheoryRows Rules => RuleTable.Read("segment-loads.txt");

    [Theory]
    [MemberData(nameof(Rules))]
    public void Mov_OfTheTable_LoadsOrFaults(string line)
    {
        string[] columns = RuleTable.Columns(line);
        var selector = (ushort)RuleTable.Number(columns[1]);
        using var machine = new BareMachine();
        if (columns[3] != "-")
            machine.SetDescriptor(BareSelectors.Free, RuleTable.Number(columns[3]));
        if (columns[2] == "3")
            machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.mov(eax, selector);
            c.mov(Names[columns[0]], eax);
            c.xor(ebx, ebx);
            c.mov(ebx, Names[columns[0]]);
            c.ud2();
        });

        string outcome = MachineOutcome.Run(machine);

        Assert.Equal(columns[4] == "ok" ? "#UD" : columns[4], outcome);
        if (columns[4] == "ok")
            Assert.Equal(selector, machine.Registers.Rbx);
    }

    [Fact]
    public void MovToFs_OfDescriptorWithBase_LoadsTheBaseAndNullClearsIt()
    {
        using var machine = new BareMachine();
        machine.SetDescriptor(BareSelectors.Free, 0x80CF_9334_5678_FFFF);
        machine.Registers.FsBase = 0x1234;
        machine.Assemble(c =>
        {
            c.mov(eax, BareSelectors.Free);
            c.mov(fs, eax);
            c.hlt();
            c.xor(eax, eax);
            c.mov(fs, eax);
            c.hlt();
        });

        machine.Run();
        Assert.Equal(0x8034_5678UL, machine.Registers.FsBase);
        machine.Run();
        Assert.Equal(0UL, machine.Registers.FsBase);
    }

    [Fact]
    public void PushAndPopOfFs_OfBothSizes_MoveTheSelector()
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.mov(eax, BareSelectors.KernelData);
            c.mov(fs, eax);
            c.push(fs);
            c.db(0x66, 0x0F, 0xA0); // push fs, 16 bits
            c.db(0x66, 0x0F, 0xA9); // pop gs, 16 bits
            c.pop(rbx);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(BareSelectors.KernelData, machine.Registers.Rbx);
        Assert.Equal(BareSelectors.KernelData, machine.System.Gs.Selector);
        Assert.Equal(BareMachine.KernelStackTop, machine.Registers.Rsp);
    }

    [Fact]
    public void Lgs_OfM16And64_LoadsSelectorAndOffset()
    {
        using var machine = new BareMachine();
        machine.Write(BareMachine.Data, 0x1122_3344_5566_7788);
        machine.Write(BareMachine.Data + 8, BareSelectors.KernelData);
        machine.Assemble(c =>
        {
            c.mov(rsi, BareMachine.Data);
            c.lgs(rbx, __[rsi]);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(0x1122_3344_5566_7788UL, machine.Registers.Rbx);
        Assert.Equal(BareSelectors.KernelData, machine.System.Gs.Selector);
        Assert.Equal(1UL, machine.Vcpu.Counters.Loads);
        Assert.Equal(1UL, machine.Vcpu.Counters.Implicit);
    }

    [Fact]
    public void Wrfsbase_WithCr4Enabled_MovesTheBaseAndRefusesNonCanonical()
    {
        using var machine = new BareMachine();
        machine.System.Cr4 |= Cr4.FsGsBase;
        machine.Vcpu.ContextChanged();
        machine.Write(BareMachine.Data + 0x10, 0x5A);
        machine.Assemble(c =>
        {
            c.mov(rax, BareMachine.Data);
            c.wrfsbase(rax);
            c.rdfsbase(rbx);
            c.mov(rcx, __.fs[0x10]);
            c.shl(rax, 40);
            c.wrgsbase(rax);
        });

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.Data, machine.Registers.Rbx);
        Assert.Equal(0x5AUL, machine.Registers.Rcx);
        Assert.Equal(0UL, machine.Registers.GsBase);
    }

    [Fact]
    public void Rdfsbase_WithoutCr4_IsUndefined()
    {
        using var machine = new BareMachine();
        machine.Assemble(c => c.rdfsbase(rbx));

        Assert.Equal("#UD", MachineOutcome.Run(machine));
    }
}
