using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.System;

/// <summary>External interrupts, NMI and HLT. SDM 3, "Prioritization of Concurrent Events".</summary>
public sealed class InterruptTests
{
    private const ulong DeviceAddress = 0xFF00_0000;
    private const ulong DeviceLinear = 0x5_0000;
    private const ulong OtherPage = BareMachine.Code + 0x1000;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(100)]
    [InlineData(1000)]
    public void Timer_AtAMoment_InterruptsBeforeExactlyThatInstruction(int moment)
    {
        using var machine = new BareMachine();
        ScheduledEvents events = Connect(machine);
        events.At((ulong)moment, 0x40);
        machine.Registers.Flags |= RFlags.InterruptEnable;
        machine.Assemble(c =>
        {
            for (int i = 0; i < 2000; i++)
                c.nop();
            c.hlt();
        });

        Assert.Equal((ExceptionVector)0x40, machine.RunToHandler());

        Assert.Equal(((ulong)moment, (ulong)moment, BareMachine.Code + (ulong)moment), (events.Taken[0].Instructions, events.Taken[0].Time, events.Taken[0].Rip));
        EventFrame frame = machine.Frame((ExceptionVector)0x40);
        Assert.Equal(BareMachine.Code + (ulong)moment, frame.Rip);
        Assert.Equal(RFlags.None, machine.Registers.Flags & RFlags.InterruptEnable);
    }

    // The same program in blocks, in single steps, in slices, and looked up at every access: every moment gives the same.
    [Fact]
    public void Timer_AtEveryMoment_InterruptsAtTheSameElementHoweverTheRunIsCut()
    {
        for (ulong moment = 0; moment < 900; moment += 7)
        {
            (ulong, ulong, ulong, ulong) whole = TakenAt(moment, slice: ulong.MaxValue, everyAccess: false);
            Assert.Equal(whole, TakenAt(moment, slice: 1, everyAccess: false));
            Assert.Equal(whole, TakenAt(moment, slice: 97, everyAccess: false));
            Assert.Equal(whole, TakenAt(moment, slice: ulong.MaxValue, everyAccess: true));

            // The last element of a string instruction and the instruction itself are one step of two ticks.
            Assert.InRange(whole.Item2, moment, moment + 1);
        }
    }

    [Fact]
    public void InterruptFlag_Clear_HoldsInterruptsBackUntilTheInstructionBehindSti()
    {
        using var machine = new BareMachine();
        ScheduledEvents events = Connect(machine);
        events.At(0, 0x40);
        machine.Assemble(c =>
        {
            c.nop();
            c.sti();
            c.nop();
            c.nop();
        });

        machine.RunToHandler();

        Assert.Equal(3UL, events.Taken[0].Instructions);
    }

    [Fact]
    public void MovSs_HoldsInterruptsBackForOneInstruction()
    {
        using var machine = new BareMachine();
        ScheduledEvents events = Connect(machine);
        events.At(2, 0x40);
        machine.Registers.Flags |= RFlags.InterruptEnable;
        machine.Assemble(c =>
        {
            c.mov(eax, BareSelectors.KernelData);
            c.mov(ss, eax);
            c.nop();
            c.nop();
        });

        machine.RunToHandler();

        Assert.Equal(3UL, events.Taken[0].Instructions);
    }

    [Fact]
    public void Popf_ThatSetsIf_LetsTheInterruptInBehindIt()
    {
        using var machine = new BareMachine();
        ScheduledEvents events = Connect(machine);
        events.At(0, 0x40);
        machine.Assemble(c =>
        {
            c.push(0x202);
            c.popfq();
            c.nop();
        });

        machine.RunToHandler();

        Assert.Equal(2UL, events.Taken[0].Instructions);
    }

    [Fact]
    public void NonMaskableInterrupt_ComesWithIfClearAndOnceUntilIret()
    {
        using var machine = new BareMachine();
        ScheduledEvents events = Connect(machine);
        events.HasNonMaskableInterrupt = true;
        ulong handler = BareMachine.Code + 0x800;
        machine.SetGate(2, new BareGate { Handler = handler });
        machine.Assemble(c =>
        {
            c.nop();
            c.hlt();
        });
        machine.Assemble(handler, c =>
        {
            c.inc(rbx);
            c.iretq();
        });

        Assert.Equal(VmExitReason.InstructionLimit, machine.Vcpu.Run(1).Reason); // the handler's first instruction
        events.HasNonMaskableInterrupt = true;
        machine.Vcpu.NoteEvents();
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        Assert.Equal(2UL, machine.Registers.Rbx);
        Assert.Equal([0UL, 2UL], events.Taken.Select(taken => taken.Instructions));
    }

    [Fact]
    public void Halt_JumpsToTheDeadlineAndWakes()
    {
        using var machine = new BareMachine();
        ScheduledEvents events = Connect(machine);
        events.At(1_000_000, 0x40);
        machine.SetGate(0x40, new BareGate { Handler = BareMachine.Code + 0x800 });
        machine.Assemble(BareMachine.Code + 0x800, c => c.iretq());
        machine.Assemble(c =>
        {
            c.sti();
            c.hlt();
            c.rdtsc();
            c.cli();
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        Assert.Equal((2UL, 1_000_000UL), (events.Taken[0].Instructions, events.Taken[0].Time));
        Assert.Equal(1_000_001UL, machine.Registers.Rax); // IRET took one more
        Assert.Equal(6UL, machine.Vcpu.Counters.Instructions);
    }

    [Fact]
    public void Halt_WithNothingToWaitFor_EndsTheRun()
    {
        using var machine = new BareMachine();
        Connect(machine);
        machine.Assemble(c =>
        {
            c.sti();
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(BareMachine.Code + 2, machine.Registers.Rip);
    }

    // A device that tells the time, read in the middle of chained blocks.
    [Fact]
    public void Device_AskedForTheTime_AnswersToTheInstruction()
    {
        using var machine = new BareMachine();
        Connect(machine);
        MapDevice(machine, new ClockDevice(machine.Vcpu));
        machine.Assemble(c =>
        {
            Label loop = c.CreateLabel();
            c.mov(ecx, 100);
            c.mov(esi, (uint)DeviceLinear);
            c.xor(ebx, ebx);
            c.Label(ref loop);
            c.nop();
            c.mov(eax, __[rsi]);
            c.add(rbx, rax);
            c.push(__qword_ptr[rsi]);
            c.pop(rdx);
            c.add(rbx, rdx);
            c.dec(ecx);
            c.jnz(loop);
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        // Before the read in round i: 3 + 8 i + 1 instructions; before the push 2 more.
        ulong expected = 0;
        for (ulong round = 0; round < 100; round++)
            expected += (3 + (8 * round) + 1) + (3 + (8 * round) + 3);
        Assert.Equal(expected, machine.Registers.Rbx);
        Assert.Equal(804UL, machine.Vcpu.Counters.Instructions);
        Assert.Equal(400UL, machine.Vcpu.Counters.DataLookups); // two for each PUSH, one for each MOV and POP
    }

    [Fact]
    public void Device_ThatInterruptsWhenWritten_DoesSoBehindTheStore()
    {
        using var machine = new BareMachine();
        ScheduledEvents events = Connect(machine);
        MapDevice(machine, new RaisingDevice(events));
        machine.Registers.Flags |= RFlags.InterruptEnable;
        machine.Assemble(c =>
        {
            c.mov(esi, (uint)DeviceLinear);
            c.nop();
            c.mov(__dword_ptr[rsi], 7);
            c.nop();
            c.nop();
        });

        machine.RunToHandler();

        Assert.Equal(3UL, events.Taken[0].Instructions);
    }

    private static ScheduledEvents Connect(BareMachine machine)
    {
        var events = new ScheduledEvents(machine.Vcpu);
        machine.Vcpu.Connect(events);
        return events;
    }

    private static void MapDevice(BareMachine machine, IMmioDevice device)
    {
        machine.Mmio.Attach(new HostPhysicalAddress(DeviceAddress), 4096, device);
        machine.Unmap(DeviceLinear);
        machine.Tables.Map(new LinearAddress(DeviceLinear), new GuestPhysicalAddress(DeviceAddress), PageSize.Size4K, PagingEntry.Present | PagingEntry.Writable);
    }

    private static (ulong Instructions, ulong Time, ulong Rip, ulong Rcx) TakenAt(ulong moment, ulong slice, bool everyAccess)
    {
        var options = new BareMachineOptions { Mmu = TestMmuConfigurations.SmallSkylake() with { LookUpEveryAccess = everyAccess } };
        using var machine = new BareMachine(options);
        ScheduledEvents events = Connect(machine);
        MapDevice(machine, new ClockDevice(machine.Vcpu));
        events.At(moment, 0x40);
        machine.Registers.Flags |= RFlags.InterruptEnable;
        machine.Assemble(c =>
        {
            Label loop = c.CreateLabel();
            c.mov(ebx, 20);
            c.mov(esi, (uint)DeviceLinear);
            c.Label(ref loop);
            c.mov(edi, (uint)BareMachine.Data);
            c.mov(ecx, 13);
            c.rep.stosb();
            c.mov(eax, __[rsi]);
            c.add(edx, eax);
            c.mov(__[rsi], edx);
            c.call(OtherPage);
            c.nop();
            c.dec(ebx);
            c.jnz(loop);
            c.hlt();
        });
        machine.Assemble(OtherPage, c =>
        {
            c.push(rax);
            c.pop(rax);
            c.ret();
        });
        do
        {
            ulong limit = slice == ulong.MaxValue ? slice : machine.Vcpu.Counters.Instructions + slice;
            if (machine.Vcpu.Run(limit).Reason != VmExitReason.InstructionLimit)
                break;
        }
        while (true);

        return events.Taken[0];
    }

    private sealed class ClockDevice(Vcpu vcpu) : IMmioDevice
    {
        public ulong Read(ulong offset, int size) => vcpu.VirtualTime;

        public void Write(ulong offset, ulong value, int size) => vcpu.NoteEvents();
    }

    private sealed class RaisingDevice(ScheduledEvents events) : IMmioDevice
    {
        public ulong Read(ulong offset, int size) => 0;

        public void Write(ulong offset, ulong value, int size) => events.Raise((byte)(0x40 + value));
    }
}
