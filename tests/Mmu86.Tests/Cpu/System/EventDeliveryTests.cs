using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>Gates that are broken in every way. SDM 3, "Exception and Interrupt Handling in 64-bit Mode" and "Error Code".</summary>
public sealed class EventDeliveryTests
{
    private const ulong UserHandler = 0x20_1000;
    private const byte UserHandlerReached = 0xF0;
    private const ulong AbsentPage = 0x70_0000;

    /// <summary>The table of gates.</summary>
    public static TheoryRows Rules => RuleTable.Read("event-delivery.txt");

    [Theory]
    [MemberData(nameof(Rules))]
    public void Delivery_OfTheTable_EndsInTheHandlerOrInTheException(string line)
    {
        string[] columns = RuleTable.Columns(line);
        string[] name = columns[0].Split('.');
        using var machine = new BareMachine();
        machine.System.Star = (ulong)BareSelectors.KernelCode << 32;
        machine.System.Lstar = BareMachine.HandlerOf(UserHandlerReached);
        machine.Assemble(UserHandler, c => c.syscall());
        if (name[1] == "3")
            machine.EnterUserMode();
        byte vector = Raise(machine, name[0]);
        Change(machine, vector, RuleTable.Words(columns[1]));
        ulong rip = machine.Registers.Rip;
        ulong rsp = machine.Registers.Rsp;

        string outcome = MachineOutcome.Run(machine);

        string own = vector < 32 ? ((ExceptionVector)vector).Mnemonic() : $"vector {vector}";
        switch (columns[2])
        {
            case "ok":
                Assert.True(outcome.Split(' ')[0] == own || outcome == own || outcome == $"vector {UserHandlerReached}", outcome);
                break;
            case "df":
                Assert.Equal("#DF 0x0", outcome);
                break;
            default:
                Assert.Equal(columns[2], outcome);
                break;
        }

        if (columns[2][0] == '#')
        {
            // A fault on the way to the handler is one of the instruction: nothing has happened.
            EventFrame frame = machine.Frame((ExceptionVector)((machine.Registers.Rip - 1 - BareMachine.Handlers) / 16));
            Assert.Equal(rip, frame.Rip);
            Assert.Equal(rsp, frame.Rsp);
        }
    }

    [Fact]
    public void TrapGate_LeavesInterruptsAsTheyWere_AndInterruptGateClearsThem()
    {
        using var machine = new BareMachine();
        machine.Registers.Flags = RFlags.InterruptEnable | RFlags.Trap | RFlags.Carry;
        machine.SetGate(32, BareMachine.DefaultGate(32) with { Type = 15 });
        machine.Assemble(c => c.@int(32));
        Assert.Equal((ExceptionVector)32, machine.RunToHandler());
        Assert.Equal(RFlags.InterruptEnable | RFlags.Reserved1 | RFlags.Carry, machine.Registers.Flags);

        machine.Registers.Rip = BareMachine.Code;
        machine.Assemble(c => c.@int(33));
        Assert.Equal((ExceptionVector)33, machine.RunToHandler());
        Assert.Equal(RFlags.Reserved1 | RFlags.Carry, machine.Registers.Flags);
    }

    [Fact]
    public void InterruptStack_WithoutChangeOfLevel_KeepsTheStackSegment()
    {
        using var machine = new BareMachine();
        machine.SetGate(6, BareMachine.DefaultGate(6) with { InterruptStack = 1 });
        machine.Assemble(c => c.ud2());

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.RunToHandler());

        Assert.Equal(BareMachine.InterruptStackTop - 40, machine.Registers.Rsp);
        Assert.Equal(BareSelectors.KernelData, machine.System.Ss.Selector);
        Assert.Equal(BareMachine.KernelStackTop, machine.Frame(ExceptionVector.InvalidOpcode).Rsp);
    }

    [Fact]
    public void AccessedBit_OfTheHandlersSegment_IsSetOnce()
    {
        using var machine = new BareMachine();
        machine.SetDescriptor(BareSelectors.Free, BareSelectors.LongCode & ~(1UL << 40));
        machine.SetGate(6, BareMachine.DefaultGate(6) with { Selector = BareSelectors.Free });
        machine.Assemble(c => c.ud2());

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.RunToHandler());

        Assert.Equal(BareSelectors.LongCode, machine.Read(BareMachine.Gdt + BareSelectors.Free));
    }

    [Fact]
    [Rule("F10")]
    public void DoubleFault_OnItsOwnStack_ReportsTheFaultingInstructionAndLastCr2()
    {
        using var machine = new BareMachine();
        machine.SetGate(8, BareMachine.DefaultGate(8) with { InterruptStack = 1 });
        machine.Registers.Rsp = AbsentPage;
        machine.Assemble(c => c.push(rax));

        Assert.Equal(ExceptionVector.DoubleFault, machine.RunToHandler());

        EventFrame frame = machine.Frame(ExceptionVector.DoubleFault);
        Assert.Equal(0UL, frame.ErrorCode);
        Assert.Equal(BareMachine.Code, frame.Rip);
        Assert.Equal(AbsentPage, frame.Rsp);
        Assert.Equal(AbsentPage - 8, machine.System.Cr2);
        Assert.Equal(2UL, machine.Vcpu.Counters.PageFaults);
    }

    [Fact]
    public void SingleStep_ThroughSeveralInstructions_TrapsBehindEach()
    {
        using var machine = new BareMachine();
        machine.SetGate(1, new BareGate { Handler = BareMachine.Code + 0x1000 });
        machine.Assemble(BareMachine.Code + 0x1000, c =>
        {
            c.inc(r15);
            c.mov(r14, __qword_ptr[rsp]);
            c.iretq();
        });
        machine.Assemble(c =>
        {
            c.pushfq();
            c.or(__qword_ptr[rsp], 0x100);
            c.popfq();
            c.nop();
            c.inc(rbx);
            c.pushfq();
            c.and(__qword_ptr[rsp], ~0x100);
            c.popfq();
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        // NOP, INC, PUSHF, AND and the POPF that ends it; not the POPF that began it.
        Assert.Equal(5UL, machine.Registers[15]);
        Assert.Equal(machine.Registers.Rip - 1, machine.Registers[14]);
        Assert.Equal(0x4000UL, machine.System.Dr6 & 0x4000);
    }

    [Fact]
    public void SingleStep_BehindMovToSs_WaitsForOneInstruction()
    {
        using var machine = new BareMachine();
        machine.Registers.Flags = RFlags.Trap;
        machine.Assemble(c =>
        {
            c.mov(ss, eax);
            c.nop();
            c.nop();
        });

        Assert.Equal(ExceptionVector.Debug, machine.RunToHandler());

        Assert.Equal(BareMachine.Code + 3, machine.Frame(ExceptionVector.Debug).Rip);
    }

    [Fact]
    public void Interception_OfExceptions_ReportsThemInPlaceOfTheIdt()
    {
        using var machine = new BareMachine(new BareMachineOptions { InterceptExceptions = true });
        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.int3();
            c.@int(0x80);
        });

        VmExit trap = machine.Run();
        Assert.Equal((VmExitReason.Exception, ExceptionVector.Breakpoint), (trap.Reason, trap.Vector));
        Assert.Equal(BareMachine.UserCode + 1, machine.Registers.Rip);
        VmExit fault = machine.Run();
        Assert.Equal((VmExitReason.Exception, ExceptionVector.GeneralProtection, 0x402u), (fault.Reason, fault.Vector, fault.ErrorCode));
        Assert.Equal(BareMachine.UserCode + 1, machine.Registers.Rip);
    }

    private static byte Raise(BareMachine machine, string name)
    {
        switch (name)
        {
            case "int3":
                machine.Assemble(c => c.int3());
                return 3;
            case "int1":
                machine.Assemble(c => c.int1());
                return 1;
            case "ud":
                machine.Assemble(c => c.ud2());
                return 6;
            case "pf":
                machine.Registers.Rax = AbsentPage;
                machine.Assemble(c => c.mov(__byte_ptr[rax], 1));
                return 14;
            default:
                byte vector = byte.Parse(name[3..]);
                machine.Assemble(c => c.@int(vector));
                return vector;
        }
    }

    // SDM 3, "Access Rights": implicit are accesses to the GDT, the LDT, the IDT and the TSS. A stack is none of them.
    [Theory]
    [Rule("R04")]
    [Rule("R05")]
    [InlineData(true)]
    [InlineData(false)]
    public void Exception_WhoseStackIsAUserPageUnderSmap_NeedsAc(bool hasAc)
    {
        using var machine = new BareMachine();
        machine.System.Cr4 |= Cr4.Smap;
        machine.Vcpu.ContextChanged();
        machine.Registers.Rsp = BareMachine.UserData + 0x800;
        machine.Registers.Flags = RFlags.Reserved1 | (hasAc ? RFlags.AlignmentCheck : RFlags.None);
        machine.Vcpu.ModeChanged();
        machine.Assemble(c => c.ud2());

        VmExit exit = machine.Run();

        Assert.Equal(hasAc ? VmExitReason.Halt : VmExitReason.TripleFault, exit.Reason);
    }

    private static void Change(BareMachine machine, byte vector, string[] changes)
    {
        BareGate gate = BareMachine.DefaultGate(vector);
        SystemState system = machine.System;
        foreach (string change in changes)
        {
            string[] parts = change.Split('=');
            ulong value = RuleTable.Number(parts[1]);
            switch (parts[0])
            {
                case "dpl": gate = gate with { Dpl = (int)value }; break;
                case "type": gate = gate with { Type = (int)value }; break;
                case "p": gate = gate with { IsPresent = value != 0 }; break;
                case "ist": gate = gate with { InterruptStack = (int)value }; break;
                case "cs": gate = gate with { Selector = (ushort)value }; break;
                case "handler": gate = gate with { Handler = value }; break;
                case "code": machine.SetDescriptor(BareSelectors.Free, value); break;
                case "idt.limit": system.Idtr = system.Idtr with { Limit = (ushort)value }; break;
                case "gdt.limit": system.Gdtr = system.Gdtr with { Limit = (ushort)value }; break;
                case "tss.limit": system.Tr = system.Tr with { Limit = (uint)value }; break;
                case "rsp0": machine.Write(BareMachine.Tss + 4, value); break;
                case "ist1": machine.Write(BareMachine.Tss + 0x24, value); break;
                default: throw new InvalidDataException(change);
            }
        }

        machine.SetGate(vector, gate);
    }
}
