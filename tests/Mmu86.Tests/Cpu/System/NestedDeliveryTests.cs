using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>EPT violations in the middle of a delivery: nothing has happened, and the next entry delivers the event.</summary>
public sealed class NestedDeliveryTests
{
    [Theory]
    [InlineData(BareMachine.KernelStackTop - 8, EptViolationQualification.Write)]
    [InlineData(BareMachine.Idt, EptViolationQualification.Read)]
    [InlineData(BareMachine.Gdt, EptViolationQualification.Read)]
    [InlineData(BareMachine.Tss, EptViolationQualification.Read)]
    public void PageFault_WhoseDeliveryMeetsAViolation_IsDeliveredByTheNextEntry(ulong absent, EptViolationQualification access)
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Unmap(BareMachine.UserData);
        machine.Registers.Rsi = BareMachine.UserData + 0x123;
        machine.Assemble(c => c.mov(rax, __qword_ptr[rsi]));
        EptBuilder ept = machine.EnableEpt();
        GuestPhysicalAddress page = new(absent & ~0xFFFUL);
        ulong entry = ept.Read(page, 1);
        ept.Write(page, 1, 0);

        VmExit exit = machine.Run();

        Assert.Equal(VmExitReason.EptViolation, exit.Reason);
        Assert.Equal(page, new GuestPhysicalAddress(exit.GuestPhysical.Value & ~0xFFFUL));
        Assert.Equal(access, exit.Qualification & (EptViolationQualification.Read | EptViolationQualification.Write));
        Assert.Equal((BareMachine.UserCode, BareMachine.UserStackTop, 3), (machine.Registers.Rip, machine.Registers.Rsp, machine.System.Cpl));
        Assert.Equal(1UL, machine.Vcpu.Counters.PageFaults);
        ept.Write(page, 1, entry);
        Assert.Equal(ExceptionVector.PageFault, machine.RunToHandler());
        EventFrame frame = machine.Frame(ExceptionVector.PageFault);
        Assert.Equal(
            new EventFrame(4, BareMachine.UserCode, BareSelectors.UserCode, RFlags.Reserved1 | RFlags.Resume, BareMachine.UserStackTop, BareSelectors.UserData),
            frame);
        Assert.Equal(BareMachine.UserData + 0x123, machine.System.Cr2);
        Assert.Equal(1UL, machine.Vcpu.Counters.PageFaults);
        Assert.Equal(1UL, machine.Vcpu.Counters.Instructions);
    }

    [Fact]
    public void SoftwareInterrupt_WhoseDeliveryMeetsAViolation_RunsAgainAndCountsOnce()
    {
        using var machine = new BareMachine();
        machine.Assemble(c => c.@int(32));
        EptBuilder ept = machine.EnableEpt();
        GuestPhysicalAddress page = new(BareMachine.KernelStackTop - 0x1000);
        ulong entry = ept.Read(page, 1);
        ept.Write(page, 1, 0);

        Assert.Equal(VmExitReason.EptViolation, machine.Run().Reason);

        Assert.Equal(BareMachine.Code, machine.Registers.Rip);
        ept.Write(page, 1, entry);
        Assert.Equal((ExceptionVector)32, machine.RunToHandler());
        Assert.Equal(2UL, machine.Vcpu.Counters.Instructions);
        Assert.Equal(3UL, machine.Vcpu.Counters.FetchLookups);
        Assert.Equal(7UL, machine.Vcpu.Counters.Implicit);
    }

    [Fact]
    public void DoubleFault_WhoseDeliveryMeetsAViolation_StaysADoubleFault()
    {
        using var machine = new BareMachine();
        machine.SetGate(13, BareMachine.DefaultGate(13) with { IsPresent = false });
        machine.SetGate(8, BareMachine.DefaultGate(8) with { InterruptStack = 1 });
        machine.Assemble(c => c.mov(cr8, rax));
        machine.Registers.Rax = 0x10;
        EptBuilder ept = machine.EnableEpt();
        GuestPhysicalAddress page = new(BareMachine.InterruptStackTop - 0x1000);
        ulong entry = ept.Read(page, 1);
        ept.Write(page, 1, 0);

        Assert.Equal(VmExitReason.EptViolation, machine.Run().Reason);

        ept.Write(page, 1, entry);
        Assert.Equal(ExceptionVector.DoubleFault, machine.RunToHandler());
    }
}
