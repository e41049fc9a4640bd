using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>What the handler of an exception finds. SDM 3, "Exception and Interrupt Handling in 64-bit Mode".</summary>
public sealed class ExceptionFrameTests
{
    [Fact]
    public void Fault_InRing0_PushesFrameOnAlignedCurrentStack()
    {
        using var machine = new BareMachine();
        machine.Registers.Rsp = BareMachine.KernelStackTop - 0x107;
        machine.Assemble(c => c.ud2());

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.RunToHandler());

        var expected = new EventFrame(
            null, BareMachine.Code, BareSelectors.KernelCode, RFlags.Reserved1 | RFlags.Resume, BareMachine.KernelStackTop - 0x107, BareSelectors.KernelData);
        Assert.Equal(expected, machine.Frame(ExceptionVector.InvalidOpcode));
        Assert.Equal(BareMachine.KernelStackTop - 0x110 - 40, machine.Registers.Rsp);
        Assert.Equal(BareSelectors.KernelData, machine.System.Ss.Selector);
        Assert.Equal(1UL, machine.Vcpu.Counters.Instructions);
    }

    [Fact]
    public void Fault_FromRing3_SwitchesToRsp0AndNullStackSegment()
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.mov(rax, BareMachine.Data);
            c.mov(__qword_ptr[rax], rcx);
        });

        Assert.Equal(ExceptionVector.PageFault, machine.RunToHandler());

        EventFrame frame = machine.Frame(ExceptionVector.PageFault);
        Assert.Equal((ulong)(PageFaultErrorCode.Present | PageFaultErrorCode.Write | PageFaultErrorCode.User), frame.ErrorCode);
        Assert.Equal(BareMachine.UserCode + 10, frame.Rip);
        Assert.Equal(BareSelectors.UserCode, frame.Cs);
        Assert.Equal(BareMachine.UserStackTop, frame.Rsp);
        Assert.Equal(BareSelectors.UserData, frame.Ss);
        Assert.Equal(BareMachine.Data, machine.System.Cr2);
        Assert.Equal(BareMachine.KernelStackTop - 48, machine.Registers.Rsp);
        Assert.Equal(0, machine.System.Ss.Selector);
        Assert.Equal(0, machine.System.Cpl);
    }

    [Fact]
    [Rule("F04")]
    public void Iretq_AfterPageFaultFixedByHandler_RunsTheInstructionAgain()
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Unmap(BareMachine.UserData);
        machine.Assemble(c =>
        {
            c.mov(rax, BareMachine.UserData);
            c.mov(__dword_ptr[rax], 0x1234);
            c.mov(ecx, __dword_ptr[rax]);
            c.syscall();
        });
        machine.System.Lstar = BareMachine.HandlerOf(0x80);
        machine.System.Star = ((ulong)BareSelectors.KernelCode << 32) | ((ulong)BareSelectors.UserCompatibility << 48);
        ulong handler = BareMachine.Code;
        machine.SetGate(14, new BareGate { Handler = handler });
        ulong entry = machine.Tables.EntryAddress(new LinearAddress(BareMachine.UserData), 1).Value;
        machine.Tables.Map(new LinearAddress(0x5000_0000), new GuestPhysicalAddress(entry), PageSize.Size4K, PagingEntry.Present | PagingEntry.Writable);
        machine.Assemble(handler, c =>
        {
            c.mov(rdx, 0x5000_0000 | (entry & 0xFFF));
            c.or(__byte_ptr[rdx], 1);
            c.add(rsp, 8);
            c.iretq();
        });

        Assert.Equal((ExceptionVector)0x80, machine.RunToHandler());

        Assert.Equal(0x1234UL, machine.Read(BareMachine.UserData) & 0xFFFF_FFFF);
        Assert.Equal(1UL, machine.Vcpu.Counters.PageFaults);
        Assert.Equal(BareMachine.UserStackTop, machine.Registers.Rsp);
    }

    [Fact]
    public void Fault_HandlerThatFaultsAtOnceOnItsOwnStack_IsAnExceptionLoop()
    {
        using var machine = new BareMachine();
        machine.SetGate((byte)ExceptionVector.InvalidOpcode, BareMachine.DefaultGate((byte)ExceptionVector.InvalidOpcode) with { InterruptStack = 1 });
        machine.Assemble(BareMachine.HandlerOf((byte)ExceptionVector.InvalidOpcode), c => c.ud2());
        machine.Assemble(c => c.ud2());

        VmExit exit = machine.Run();

        Assert.Equal(VmExitReason.ExceptionLoop, exit.Reason);
        Assert.Equal(ExceptionVector.InvalidOpcode, exit.Vector);
        Assert.Equal(0UL, machine.Vcpu.Counters.Instructions);
    }
}
