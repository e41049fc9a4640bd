using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>Breakpoints of the debug registers, and what puts debug exceptions off. SDM 3, "Debug Exceptions".</summary>
public sealed class BreakpointTests
{
    private const ulong Handler = BareMachine.Code + 0x1000;
    private const ulong Watched = BareMachine.Data + 0x100;

    // R/W and LEN of DR7.
    private const int OnWrite = 1;
    private const int OnPort = 2;
    private const int OnReadOrWrite = 3;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CodeBreakpoint_IsAFaultBeforeTheInstruction_AndResumeFlagPassesIt(bool resumes)
    {
        using var machine = new BareMachine();
        CountAndReturn(machine, resumes ? RFlags.Resume : RFlags.None);
        machine.Assemble(c =>
        {
            c.inc(rbx);
            c.nop();
            c.hlt();
        });
        Arm(machine, 0, BareMachine.Code + 3, 0, 1);

        machine.Vcpu.Run(100);

        // Without RF the handler returns to the breakpoint for ever: IRET alone retires.
        Assert.Equal(resumes, machine.Registers[15] == 1);
        Assert.Equal((1UL, BareMachine.Code + 3), (machine.Registers.Rbx, machine.Registers[14]));
        Assert.Equal(RFlags.None, (RFlags)machine.Registers[13] & RFlags.Resume);
        Assert.Equal(1UL, machine.System.Dr6 & 0xF);
        Assert.Equal(0UL, machine.System.Dr6 & 0x4000);
    }

    // offset and size of the access, R/W, length of the breakpoint at Watched + breakpoint offset, whether it is met
    [Theory]
    [InlineData("w", 0, 1, OnWrite, 0, 1, true)]
    [InlineData("r", 0, 1, OnWrite, 0, 1, false)]
    [InlineData("r", 0, 1, OnReadOrWrite, 0, 1, true)]
    [InlineData("w", 0, 1, OnReadOrWrite, 0, 1, true)]
    [InlineData("rw", 0, 4, OnWrite, 0, 4, true)]
    [InlineData("w", 1, 1, OnWrite, 0, 1, false)]
    [InlineData("w", 1, 1, OnWrite, 0, 2, true)]
    [InlineData("w", 2, 1, OnWrite, 0, 2, false)]
    [InlineData("w", 3, 4, OnWrite, 4, 1, true)]
    [InlineData("w", 3, 4, OnWrite, 7, 1, false)]
    [InlineData("r", 3, 4, OnReadOrWrite, 6, 1, true)]
    [InlineData("w", 4, 4, OnWrite, 0, 4, false)]
    [InlineData("w", 4, 4, OnWrite, 0, 8, true)]
    [InlineData("w", 4, 4, OnWrite, 5, 4, true)]
    [InlineData("w", 2, 1, OnWrite, 3, 4, true)]
    [InlineData("r", -8, 8, OnReadOrWrite, 0, 1, false)]
    [InlineData("r", -7, 8, OnReadOrWrite, 0, 1, true)]
    public void DataBreakpoint_MeetsAccessesThatTouchItsBytes(
        string access, int offset, int size, int kind, int breakpoint, int length, bool isMet)
    {
        using var machine = new BareMachine();
        CountAndReturn(machine, RFlags.None);
        machine.Registers.Rsi = Watched + (ulong)offset;
        machine.Assemble(c =>
        {
            c.nop();
            Access(c, access, size);
            c.inc(rbx);
            c.hlt();
        });
        Arm(machine, 2, Watched + (ulong)breakpoint, kind, length);
        ulong behind = BareMachine.Code + 1 + AccessLength(access, size);

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal((isMet ? 1UL : 0, 1UL), (machine.Registers[15], machine.Registers.Rbx));
        Assert.Equal(isMet ? 4UL : 0, machine.System.Dr6 & 0xF);
        if (isMet)
            Assert.Equal((behind, RFlags.None), (machine.Registers[14], (RFlags)machine.Registers[13] & RFlags.Resume));
    }

    [Fact]
    public void DataBreakpoint_OnPushAndString_IsMetByEach()
    {
        using var machine = new BareMachine();
        CountAndReturn(machine, RFlags.None);
        machine.Registers.Rsp = Watched + 16;
        machine.Registers.Rdi = Watched;
        machine.Registers.Rcx = 4;
        machine.Assemble(c =>
        {
            c.push(rax);
            c.push(rax);
            c.mov(rsp, (long)BareMachine.KernelStackTop);
            c.rep.stosd();
            c.hlt();
        });
        machine.SetGate(1, new BareGate { Handler = Handler, InterruptStack = 1 });
        Arm(machine, 0, Watched, OnWrite, 8);

        Assert.Equal("halt", MachineOutcome.Run(machine));

        // The second PUSH, and two elements of the string.
        Assert.Equal(3UL, machine.Registers[15]);
    }

    [Fact]
    public void DataBreakpoint_OfAFaultingInstruction_IsForgotten()
    {
        using var machine = new BareMachine();
        CountAndReturn(machine, RFlags.None);
        machine.Unmap(BareMachine.Data + 0x1000);
        machine.Registers.Rsi = BareMachine.Data + 0xFF8;
        machine.Registers.Rdi = BareMachine.Data + 0x1000;
        machine.Assemble(c => c.movsq());
        Arm(machine, 0, BareMachine.Data + 0xFF8, OnReadOrWrite, 8);

        Assert.Equal("#PF 0x2", MachineOutcome.Run(machine));

        Assert.Equal((0UL, 0UL), (machine.Registers[15], machine.System.Dr6 & 0xF));
    }

    [Theory]
    [InlineData(Cr4.DebuggingExtensions, 0x3F8, 1, 1UL)]
    [InlineData(Cr4.None, 0x3F8, 1, 0UL)]
    [InlineData(Cr4.DebuggingExtensions, 0x3FA, 4, 1UL)]
    [InlineData(Cr4.DebuggingExtensions, 0x3FC, 4, 0UL)]
    public void PortBreakpoint_NeedsDebuggingExtensions(Cr4 extensions, ushort port, int length, ulong traps)
    {
        using var machine = new BareMachine();
        machine.System.Cr4 |= extensions;
        CountAndReturn(machine, RFlags.None);
        machine.Registers.Rdx = 0x3F8;
        machine.Assemble(c =>
        {
            c.@out(dx, eax);
            c.hlt();
        });
        Arm(machine, 1, port, OnPort, length);

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(traps, machine.Registers[15]);
    }

    [Fact]
    public void MovToSs_PutsOffItsDataBreakpointAndTheCodeBreakpointBehindIt()
    {
        using var machine = new BareMachine();
        CountAndReturn(machine, RFlags.Resume);
        machine.Write(Watched, BareSelectors.KernelData);
        machine.Registers.Rsi = Watched;
        machine.Assemble(c =>
        {
            c.mov(ss, __word_ptr[rsi]);
            c.nop();
            c.nop();
            c.hlt();
        });
        Arm(machine, 0, Watched, OnReadOrWrite, 2);
        Arm(machine, 1, BareMachine.Code + 2, 0, 1);

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal((1UL, BareMachine.Code + 3), (machine.Registers[15], machine.Registers[14]));
        Assert.Equal(1UL, machine.System.Dr6 & 0xF);
    }

    [Fact]
    public void SingleStep_OfSyscallThatIsAVmExit_TrapsWhenTheRunGoesOn()
    {
        using var machine = new BareMachine(new BareMachineOptions { InterceptSyscalls = true, InterceptExceptions = true });
        machine.EnterUserMode();
        machine.Registers.Flags = RFlags.Trap;
        machine.Assemble(c =>
        {
            c.syscall();
            c.nop();
        });

        Assert.Equal(VmExitReason.Syscall, machine.Run().Reason);
        VmExit trap = machine.Run();

        Assert.Equal((VmExitReason.Exception, ExceptionVector.Debug), (trap.Reason, trap.Vector));
        Assert.Equal((BareMachine.UserCode + 2, 0x4000UL), (machine.Registers.Rip, machine.System.Dr6 & 0x4000));
    }

    [Fact]
    public void SingleStep_OfHlt_LeavesTheHaltStateAtOnce()
    {
        using var machine = new BareMachine();
        machine.Registers.Flags = RFlags.Trap;
        machine.Assemble(c => c.hlt());

        Assert.Equal("#DB", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.Code + 1, machine.Frame(ExceptionVector.Debug).Rip);
    }

    [Fact]
    public void Breakpoints_ThatAreNeverMet_ChangeNoCount()
    {
        Assert.Equal(Measure(arms: false), Measure(arms: true));

        static (TlbStatistics, TlbStatistics, TlbStatistics, ulong, ulong, ulong) Measure(bool arms)
        {
            using var machine = new BareMachine();
            machine.Assemble(c =>
            {
                Label top = c.CreateLabel();
                c.mov(ecx, 1000);
                c.Label(ref top);
                c.mov(eax, ecx);
                c.shl(eax, 5);
                c.and(eax, 0x7FFF);
                c.add(__dword_ptr[rax + (int)BareMachine.Data], 1);
                c.push(rcx);
                c.pop(rcx);
                c.dec(ecx);
                c.jnz(top);
                c.hlt();
            });
            if (arms)
                Arm(machine, 0, BareMachine.Data + 0x9000, OnReadOrWrite, 4);
            Assert.Equal("halt", MachineOutcome.Run(machine));
            CpuCounters counters = machine.Vcpu.Counters;
            MmuStatistics statistics = machine.Vcpu.Statistics;
            return (statistics.L1Instruction, statistics.L1Data, statistics.L2, counters.Instructions, counters.Loads, counters.Stores);
        }
    }

    private static void Access(Assembler c, string access, int size)
    {
        switch (access, size)
        {
            case ("w", 1): c.mov(__byte_ptr[rsi], al); break;
            case ("w", 4): c.mov(__dword_ptr[rsi], eax); break;
            case ("r", 1): c.mov(al, __byte_ptr[rsi]); break;
            case ("r", 4): c.cmp(eax, __dword_ptr[rsi]); break;
            case ("r", 8): c.mov(rax, __qword_ptr[rsi]); break;
            case ("rw", 4): c.add(__dword_ptr[rsi], eax); break;
            default: throw new ArgumentException(access);
        }
    }

    private static ulong AccessLength(string access, int size)
    {
        var c = new Assembler(64);
        Access(c, access, size);
        using var stream = new MemoryStream();
        c.Assemble(new StreamCodeWriter(stream), 0);
        return (ulong)stream.Length;
    }

    // Counts in R15, keeps RIP in R14 and RFLAGS as pushed in R13, and returns with RF as told.
    private static void CountAndReturn(BareMachine machine, RFlags resume)
    {
        machine.SetGate(1, new BareGate { Handler = Handler });
        machine.Assemble(Handler, c =>
        {
            c.inc(r15);
            c.mov(r14, __qword_ptr[rsp]);
            c.mov(r13, __qword_ptr[rsp + 16]);
            c.and(__qword_ptr[rsp + 16], ~(int)RFlags.Resume);
            c.or(__qword_ptr[rsp + 16], (int)resume);
            c.iretq();
        });
    }

    private static void Arm(BareMachine machine, int number, ulong address, int kind, int length)
    {
        ulong encodedLength = length switch { 1 => 0, 2 => 1, 8 => 2, _ => 3 };
        machine.System.BreakpointAddresses[number] = address;
        machine.System.Dr7 |= (2UL << (2 * number)) | ((ulong)kind << (16 + (4 * number))) | (encodedLength << (18 + (4 * number)));
        machine.Vcpu.ModeChanged();
    }
}
