using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>String instructions that are interrupted, code that changes under the CPU, and the ends of a run.</summary>
public sealed class RestartTests
{
    private const ulong Alias = 0x5000_0000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RepMovsb_MeetingAbsentPage_GoesOnWhereItStopped(bool looksUpEveryAccess)
    {
        using var machine = new BareMachine(new BareMachineOptions
        {
            Mmu = TestMmuConfigurations.SmallSkylake() with { LookUpEveryAccess = looksUpEveryAccess },
        });
        ulong source = BareMachine.Data + 0x123;
        ulong destination = BareMachine.Data + 0x5F00;
        byte[] text = [.. Enumerable.Range(0, 0x1400).Select(i => (byte)(i * 7))];
        machine.WriteBytes(source, text);
        machine.Unmap(BareMachine.Data + 0x6000);
        machine.SetGate(14, new BareGate { Handler = BareMachine.Code + 0x800 });
        machine.Assemble(c =>
        {
            c.mov(esi, (int)source);
            c.mov(edi, (int)destination);
            c.mov(ecx, text.Length);
            c.rep.movsb();
            c.hlt();
        });
        machine.Assemble(BareMachine.Code + 0x800, c => c.hlt());

        Assert.Equal("halt", MachineOutcome.Run(machine));
        Assert.Equal((source + 0x100, destination + 0x100, (ulong)text.Length - 0x100), (machine.Registers.Rsi, machine.Registers.Rdi, machine.Registers.Rcx));
        CpuCounters counters = machine.Vcpu.Counters;
        Assert.Equal((0x100UL, 0x100UL, 0x100UL), (counters.RepIterations, counters.Loads, counters.Stores));

        machine.Remap(BareMachine.Data + 0x6000);
        machine.Assemble(machine.Registers.Rip, c =>
        {
            c.add(rsp, 8);
            c.iretq();
        });
        Assert.Equal("halt", MachineOutcome.Run(machine));
        Assert.Equal(text, machine.ReadBytes(destination, text.Length));
        Assert.Equal((ulong)text.Length, counters.RepIterations);
        Assert.Equal((ulong)text.Length, counters.Stores);

        // Three moves, the string once, HLT; in the handler HLT, ADD, IRET.
        Assert.Equal(8UL, counters.Instructions);
        Assert.Equal(9UL, counters.FetchLookups);
    }

    [Fact]
    public void RepMovsb_OverlappingByOne_FillsWithTheFirstByte()
    {
        using var machine = new BareMachine();
        machine.WriteBytes(BareMachine.Data, [0x5A, 1, 2, 3]);
        machine.Assemble(c =>
        {
            c.mov(esi, (int)BareMachine.Data);
            c.mov(edi, (int)BareMachine.Data + 1);
            c.mov(ecx, 0x2000);
            c.rep.movsb();
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.All(machine.ReadBytes(BareMachine.Data, 0x2001), value => Assert.Equal(0x5A, value));
    }

    [Fact]
    public void RepMovsb_WithTrapFlag_TrapsBetweenElements()
    {
        using var machine = new BareMachine();
        machine.SetGate(1, new BareGate { Handler = BareMachine.Code + 0x800 });
        machine.Registers.Flags = RFlags.Trap;
        machine.Registers.Rsi = BareMachine.Data;
        machine.Registers.Rdi = BareMachine.Data + 0x100;
        machine.Registers.Rcx = 3;
        machine.Assemble(c =>
        {
            c.rep.movsb();
            c.nop();
        });
        machine.Assemble(BareMachine.Code + 0x800, c => c.hlt());

        Assert.Equal("halt", MachineOutcome.Run(machine));

        EventFrame frame = machine.Frame(ExceptionVector.Debug);
        Assert.Equal((BareMachine.Code, 2UL), (frame.Rip, machine.Registers.Rcx));
        Assert.Equal(RFlags.Resume, frame.Flags & RFlags.Resume);
    }

    [Fact]
    public void Store_ThroughAlias_ChangesTheInstructionThatRunsNext()
    {
        using var machine = new BareMachine();
        machine.Tables.Map(new LinearAddress(Alias), new GuestPhysicalAddress(BareMachine.Code), PageSize.Size4K, PagingEntry.Present | PagingEntry.Writable);
        machine.Assemble(c =>
        {
            Label again = c.CreateLabel();
            Label patched = c.CreateLabel();
            c.mov(rdi, Alias);
            c.xor(ebx, ebx);
            c.Label(ref again);
            c.inc(ebx);
            c.cmp(ebx, 2);
            c.jb(again);
            c.mov(__byte_ptr[rdi + 0x40], 0xF4);
            c.jmp(patched);
            c.Label(ref patched);
            while (c.Instructions.Count < 8)
                c.nop();
            c.jmp(BareMachine.Code + 0x40);
        });
        machine.WriteBytes(BareMachine.Code + 0x40, [0x0F, 0x0B]); // ud2, until HLT overwrites it

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.Code + 0x41, machine.Registers.Rip);
    }

    [Fact]
    public void RepStosb_OverTheCodeBehindIt_RunsWhatItWrote()
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.mov(edi, (int)BareMachine.Code + 0x20);
            c.mov(ecx, 0x100);
            c.mov(eax, 0xF4);
            c.rep.stosb();
            c.jmp(BareMachine.Code + 0x30);
        });
        machine.WriteBytes(BareMachine.Code + 0x30, [0x0F, 0x0B]);

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.Code + 0x31, machine.Registers.Rip);
    }

    [Fact]
    public void Halt_InRing0_EndsTheRunBehindIt()
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.nop();
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        Assert.Equal((BareMachine.Code + 2, 2UL), (machine.Registers.Rip, machine.Vcpu.Counters.Instructions));
    }

    [Theory]
    [InlineData(Markers.Begin)]
    [InlineData(Markers.End)]
    public void Marker_WhenItRetires_IsAnExitWithItsNumber(uint marker)
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.inc(ebx);
            c.nop(__dword_ptr[rax + (int)marker]);
            c.hlt();
        });

        VmExit exit = machine.Run();

        Assert.Equal((VmExitReason.Marker, marker), (exit.Reason, exit.Marker));
        Assert.Equal((2UL, 0UL), (machine.Vcpu.Counters.Instructions, machine.Vcpu.Counters.DataLookups));
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
    }

    [Fact]
    public void InstructionLimit_InsideAnExceptionHandler_IsExact()
    {
        for (ulong limit = 1; limit < 12; limit++)
        {
            using var machine = new BareMachine();
            machine.SetGate(6, new BareGate { Handler = BareMachine.Code + 0x800 });
            machine.Assemble(c =>
            {
                c.nop();
                c.ud2();
                c.hlt();
            });
            machine.Assemble(BareMachine.Code + 0x800, c =>
            {
                c.inc(ebx);
                c.add(__qword_ptr[rsp], 2);
                c.iretq();
            });

            VmExit exit = machine.Vcpu.Run(limit);

            // NOP, INC, ADD, IRET, HLT
            Assert.Equal(limit < 5 ? VmExitReason.InstructionLimit : VmExitReason.Halt, exit.Reason);
            Assert.Equal(Math.Min(limit, 5), machine.Vcpu.Counters.Instructions);
        }
    }
}
