using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>#VE in the guest. SDM 3, "Virtualization Exceptions" (E17).</summary>
public sealed class VirtualizationExceptionTests
{
    private const ulong Area = 0xF0_0000;
    private const ulong Touched = BareMachine.Data + 0x1238;

    [Fact]
    [Rule("E17")]
    public void Violation_OfAConvertibleEntry_IsDeliveredThroughVector20()
    {
        using BareMachine machine = Make(new NestedControls { VirtualizationExceptionArea = new(Area), EptpIndex = 0x123 }, out EptBuilder ept);
        ept.Write(new(Touched), 1, 0);
        machine.Assemble(c => c.mov(__qword_ptr[rsi], rax));

        Assert.Equal(ExceptionVector.Virtualization, machine.RunToHandler());

        // No error code; RIP is at the instruction, RF is set as for every fault.
        Assert.Equal(
            new EventFrame(null, BareMachine.Code, BareSelectors.KernelCode, RFlags.Reserved1 | RFlags.Resume, BareMachine.KernelStackTop, BareSelectors.KernelData),
            machine.Frame(ExceptionVector.Virtualization));
        Assert.Equal(0xFFFF_FFFF_0000_0030UL, machine.Read(Area));
        // A write, of the address itself, by a linear address, at an entry that is not present.
        Assert.Equal(0x182UL, machine.Read(Area + 8));
        Assert.Equal(Touched, machine.Read(Area + 16));
        Assert.Equal(Touched, machine.Read(Area + 24));
        Assert.Equal(0x123UL, machine.Read(Area + 32) & 0xFFFF);
        Assert.Equal(0UL, machine.System.Cr2);
    }

    [Fact]
    [Rule("E17")]
    public void Violation_OfAGuestTable_IsConvertedToo()
    {
        using BareMachine machine = Make(new NestedControls { VirtualizationExceptionArea = new(Area) }, out EptBuilder ept);
        ulong table = machine.Tables.Table(new(BareMachine.UserData), 1).Value;
        ept.Write(new(table), 1, 0);
        machine.Registers.Rsi = BareMachine.UserData;
        machine.Assemble(c => c.mov(rax, __qword_ptr[rsi]));

        Assert.Equal(ExceptionVector.Virtualization, machine.RunToHandler());

        // A read of a guest table: bit 8 is clear.
        Assert.Equal(0x81UL, machine.Read(Area + 8));
        Assert.Equal(table, machine.Read(Area + 24) & ~0xFFFUL);
    }

    [Theory]
    [InlineData("suppressed")]
    [InlineData("busy")]
    [InlineData("control off")]
    [InlineData("misconfiguration")]
    [Rule("E17")]
    public void Violation_ThatIsNotConverted_IsAVmExit(string why)
    {
        NestedControls? controls = why == "control off" ? null : new NestedControls { VirtualizationExceptionArea = new(Area) };
        using BareMachine machine = Make(controls, out EptBuilder ept);
        ept.Write(new(Touched), 1, why switch
        {
            "suppressed" => EptEntry.SuppressVirtualizationException,
            "misconfiguration" => EptEntry.Write,
            _ => 0,
        });
        if (why == "busy")
            machine.Write(Area, 1UL << 32);
        ulong before = machine.Read(Area);
        machine.Assemble(c => c.mov(rax, __qword_ptr[rsi]));

        VmExit exit = machine.Run();

        Assert.Equal(why == "misconfiguration" ? VmExitReason.EptMisconfiguration : VmExitReason.EptViolation, exit.Reason);
        Assert.Equal(before, machine.Read(Area));
    }

    [Fact]
    [Rule("E17")]
    public void Violation_WhileAnEventIsDelivered_IsAVmExit()
    {
        using BareMachine machine = Make(new NestedControls { VirtualizationExceptionArea = new(Area) }, out EptBuilder ept);
        ept.Write(new(BareMachine.KernelStackTop - 0x1000), 1, 0);
        machine.Assemble(c => c.ud2());

        Assert.Equal(VmExitReason.EptViolation, machine.Run().Reason);
        Assert.Equal(0UL, machine.Read(Area));
    }

    [Fact]
    [Rule("E17")]
    public void PageFault_WhileVector20IsDelivered_IsADoubleFault()
    {
        using BareMachine machine = Make(new NestedControls { VirtualizationExceptionArea = new(Area) }, out EptBuilder ept);
        ept.Write(new(Touched), 1, 0);
        machine.SetGate(20, BareMachine.DefaultGate(20) with { IsPresent = false });
        machine.Assemble(c => c.mov(rax, __qword_ptr[rsi]));

        Assert.Equal(ExceptionVector.DoubleFault, machine.RunToHandler());
    }

    [Fact]
    [Rule("E17")]
    public void Conversion_WithExceptionsIntercepted_IsAnExitThatLeavesTheInformation()
    {
        using BareMachine machine = Make(
            new BareMachineOptions { InterceptExceptions = true }, new NestedControls { VirtualizationExceptionArea = new(Area) }, out EptBuilder ept);
        ept.Write(new(Touched), 1, 0);
        machine.Assemble(c => c.mov(rax, __qword_ptr[rsi]));

        VmExit exit = machine.Run();

        Assert.Equal((VmExitReason.Exception, ExceptionVector.Virtualization), (exit.Reason, exit.Vector));
        Assert.Equal(0xFFFF_FFFF_0000_0030UL, machine.Read(Area));
    }

    [Fact]
    [Rule("E07")]
    [Rule("R11")]
    public void ReadModifyWrite_OfAReadOnlyPage_IsAWriteInTheQualification()
    {
        using BareMachine machine = Make(null, out EptBuilder ept);
        ept.Change(new(Touched), 1, 0, EptEntry.Write);
        machine.Assemble(c => c.add(__qword_ptr[rsi], rax));

        VmExit exit = machine.Run();

        // Bit 1, and bits 5:3 = readable and executable. Bit 0 of a read-modify-write is the processor's choice: here it is clear.
        Assert.Equal(0x1AAUL, (ulong)exit.Qualification);
    }

    [Fact]
    [Rule("E10")]
    public void Store_WithAFullLog_IsAnExitAndRunsOnceThereIsRoom()
    {
        var controls = new NestedControls { PageModificationLog = new(Area), PageModificationIndex = 0xFFFF };
        using BareMachine machine = Make(controls, out EptBuilder ept);
        machine.Vcpu.ContextChanged(ept.EptpWithAccessedAndDirty, 1, controls);
        machine.Assemble(c =>
        {
            c.mov(__qword_ptr[rsi], rax);
            c.hlt();
        });

        VmExit exit = machine.Run();
        Assert.Equal(VmExitReason.PageModificationLogFull, exit.Reason);
        Assert.Equal(BareMachine.Code, machine.Registers.Rip);
        controls.PageModificationIndex = 511;

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        ulong[] logged = [.. Enumerable.Range(controls.PageModificationIndex + 1, 511 - controls.PageModificationIndex).Select(entry => machine.Read(Area + ((ulong)entry * 8)))];
        Assert.Contains(Touched & ~0xFFFUL, logged);
        Assert.Equal(EptEntry.Dirty, ept.Read(new(Touched), 1) & EptEntry.Dirty);
    }

    [Theory]
    [InlineData(0x100UL, 0x1200UL, true)]
    [InlineData(0x100UL, 0x1280UL, false)]
    [InlineData(0x1000UL, 0x1280UL, false)]
    [InlineData(0x400UL, 0x1280UL, true)]
    [Rule("E19")]
    public void Store_ToASubPage_FollowsItsBitEachTime(ulong vector, ulong offset, bool permitted)
    {
        // The fifth and sixth 128 bytes of the page have bits 8 and 10 of the vector; what is permitted once is not cached for others.
        const ulong Root = 0xE0_0000;
        using BareMachine machine = Make(new NestedControls { SubPagePermissionTable = new(Root) }, out EptBuilder ept);
        ulong page = BareMachine.Data + 0x1000;
        machine.Write(Root, (Root + 0x1000) | 1);
        machine.Write(Root + 0x1000, (Root + 0x2000) | 1);
        machine.Write(Root + 0x2000 + ((page >> 21) * 8), (Root + 0x3000) | 1);
        machine.Write(Root + 0x3000 + (((page >> 12) & 0x1FF) * 8), vector);
        ept.Change(new(page), 1, EptEntry.SubPageWrite, EptEntry.Write);
        machine.Registers.Rsi = BareMachine.Data + offset;
        machine.Registers.Rdi = BareMachine.Data + 0x1F80;
        machine.Assemble(c =>
        {
            c.mov(rbx, __qword_ptr[rsi]);
            c.mov(__qword_ptr[rsi], rax);
            c.mov(__qword_ptr[rsi], rax);
            c.mov(__qword_ptr[rdi], rax);
        });

        VmExit exit = machine.Run();

        Assert.Equal(VmExitReason.EptViolation, exit.Reason);
        Assert.Equal(permitted ? 3UL : 1UL, machine.Vcpu.Counters.Instructions);
        Assert.Equal(permitted ? BareMachine.Data + 0x1F80 : BareMachine.Data + offset, exit.Linear.Value);
    }

    private static BareMachine Make(NestedControls? controls, out EptBuilder ept) => Make(new BareMachineOptions(), controls, out ept);

    private static BareMachine Make(BareMachineOptions options, NestedControls? controls, out EptBuilder ept)
    {
        var machine = new BareMachine(options);
        machine.Registers.Rsi = Touched;
        ept = machine.EnableEpt();
        machine.Vcpu.ContextChanged(ept.Eptp, 1, controls);
        return machine;
    }
}
