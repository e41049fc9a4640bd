using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.TestKit.Machines;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>What a hypervisor with shadow tables sees of its guest, and what it gives back.</summary>
public sealed class ShadowExitTests
{
    private const ulong Linear = BareMachine.Data;

    [Fact]
    public void MovToCr3_Exits_BehindItWithTheGuestsValueAndNothingInvalidated()
    {
        using BareMachine machine = Machine();
        machine.Assemble(c =>
        {
            c.mov(rbx, __[Linear]);
            c.mov(rax, machine.Tables.Root.Value | 0x18);
            c.mov(cr3, rax);
            c.mov(rbx, __[Linear]);
            c.hlt();
        });

        VmExit exit = machine.Run();
        ulong entries = machine.Vcpu.Statistics.L1Data.Fills;
        VmExit end = machine.Run();

        Assert.Equal((VmExitReason.ControlRegisterAccess, new ControlRegisterAccess(3, IsWrite: true)), (exit.Reason, exit.ControlRegister));
        Assert.Equal(machine.Tables.Root.Value | 0x18, machine.System.Cr3);
        Assert.Equal((VmExitReason.Halt, entries), (end.Reason, machine.Vcpu.Statistics.L1Data.Fills));
        Assert.Equal(5UL, machine.Vcpu.Counters.Instructions);
    }

    [Theory]
    [InlineData("mov from cr3", 3, false)]
    [InlineData("cr0.wp", 0, true)]
    [InlineData("cr4.pge", 4, true)]
    [InlineData("cr4.smep", 4, true)]
    [InlineData("cr0.ts", -1, true)]
    [InlineData("cr4.osfxsr", -1, true)]
    [InlineData("mov from cr0", -1, false)]
    [InlineData("mov to cr2", -1, true)]
    public void ControlRegister_AccessThatDecidesAboutTranslation_Exits(string access, int register, bool isWrite)
    {
        using BareMachine machine = Machine();
        machine.Assemble(c =>
        {
            switch (access)
            {
                case "mov from cr3":
                    c.mov(rbx, cr3);
                    break;
                case "mov from cr0":
                    c.mov(rbx, cr0);
                    break;
                case "mov to cr2":
                    c.mov(cr2, rbx);
                    break;
                case "cr0.wp" or "cr0.ts":
                    c.mov(rax, cr0);
                    c.xor(rax, (int)(access == "cr0.wp" ? Cr0.WriteProtect : Cr0.TaskSwitched));
                    c.mov(cr0, rax);
                    break;
                default:
                    c.mov(rax, cr4);
                    c.xor(rax, (int)(access switch { "cr4.pge" => Cr4.PageGlobalEnable, "cr4.smep" => Cr4.Smep, _ => Cr4.OsFxsr }));
                    c.mov(cr4, rax);
                    break;
            }

            c.hlt();
        });

        VmExit exit = machine.Run();

        if (register < 0)
        {
            Assert.Equal(VmExitReason.Halt, exit.Reason);
            return;
        }

        Assert.Equal((VmExitReason.ControlRegisterAccess, new ControlRegisterAccess(register, isWrite)), (exit.Reason, exit.ControlRegister));
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(machine.System.Cr3, access == "mov from cr3" ? machine.Registers.Rbx : machine.System.Cr3);
    }

    [Fact]
    public void Invlpg_Exits_WithItsAddressAndTheTranslationStillThere()
    {
        using BareMachine machine = Machine();
        machine.Assemble(c =>
        {
            c.mov(rax, __[Linear]);
            c.mov(rcx, Linear);
            c.invlpg(__byte_ptr[rcx + 0x123]);
            c.mov(rax, __[Linear]);
            c.hlt();
        });

        VmExit exit = machine.Run();
        machine.Tables.Change(new LinearAddress(Linear), 1, 0, PagingEntry.Present);

        Assert.Equal((VmExitReason.Invlpg, new LinearAddress(Linear + 0x123)), (exit.Reason, exit.Linear));
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Invpcid_Exits_WithItsType(int type)
    {
        using BareMachine machine = Machine();
        machine.Write(Linear, 0xABC);
        machine.Write(Linear + 8, 0x1234_5000);
        machine.Assemble(c =>
        {
            c.mov(rax, cr4);
            c.or(rax, (int)Cr4.PcidEnable);
            c.mov(cr4, rax);
            c.mov(eax, type);
            c.mov(rcx, Linear);
            c.invpcid(rax, __xmmword_ptr[rcx]);
            c.hlt();
        });
        Assert.Equal(VmExitReason.ControlRegisterAccess, machine.Run().Reason);

        VmExit exit = machine.Run();

        Assert.Equal((VmExitReason.Invpcid, (ulong)type, (ushort)0xABC, 0x1234_5000UL), (exit.Reason, exit.InvpcidType, exit.Pcid, exit.Linear.Value));
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
    }

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(true, false, false)]
    [InlineData(true, true, true)]
    public void MovToCr3_Exits_WithWhetherTranslationsAreKept(bool hasPcids, bool keeps, bool isKept)
    {
        using BareMachine machine = Machine();
        machine.System.Cr4 |= hasPcids ? Cr4.PcidEnable : Cr4.None;
        machine.Assemble(c =>
        {
            c.mov(rax, machine.Tables.Root.Value | (keeps ? 1UL << 63 : 0));
            c.mov(cr3, rax);
        });

        Assert.Equal(isKept, machine.Run().ControlRegister.KeepsTranslations);
        Assert.Equal(machine.Tables.Root.Value, machine.System.Cr3);
    }

    // INVLPGB and INVLPGA reach what the processor remembers, and so must what shadow tables say.
    [Theory]
    [InlineData(0xFE, VmExitReason.Invlpgb, 0UL)]
    [InlineData(0xDF, VmExitReason.Invlpg, Linear)]
    public void InvalidationOfAmd_Exits_WithTheTranslationStillThere(byte opcode, VmExitReason reason, ulong address)
    {
        using var machine = new BareMachine(new BareMachineOptions { ShadowsPaging = true, Cpuid = new FullCpuid { AddressEbx = 1u << 3 } });
        machine.System.Efer |= Efer.SvmEnable;
        machine.Assemble(c =>
        {
            c.mov(rax, __[Linear]);
            c.mov(rax, opcode == 0xFE ? 8UL : Linear);
            c.xor(ecx, ecx);
            c.xor(edx, edx);
            c.db(0x0F, 0x01, opcode);
            c.mov(rax, __[Linear]);
            c.hlt();
        });

        VmExit exit = machine.Run();
        machine.Tables.Change(new LinearAddress(Linear), 1, 0, PagingEntry.Present);

        Assert.Equal((reason, address), (exit.Reason, exit.Linear.Value));
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
    }

    [Theory]
    [InlineData(0xC000_0080, VmExitReason.WriteMsr)]
    [InlineData(0x277, VmExitReason.WriteMsr)]
    [InlineData(0x174, VmExitReason.Halt)]
    public void Wrmsr_OfEferAndPatAlone_Exits(uint number, VmExitReason reason)
    {
        using BareMachine machine = Machine();
        machine.Assemble(c =>
        {
            c.mov(ecx, number);
            c.rdmsr();
            c.wrmsr();
            c.hlt();
        });

        Assert.Equal(reason, machine.Run().Reason);
    }

    [Fact]
    public void PageFault_Exits_BeforeTheGuestLearnsOfIt()
    {
        using BareMachine machine = Machine();
        machine.Unmap(Linear);
        machine.Assemble(c =>
        {
            c.mov(__[Linear + 8], rax);
            c.hlt();
        });

        VmExit exit = machine.Run();

        Assert.Equal((VmExitReason.Exception, ExceptionVector.PageFault, 2U), (exit.Reason, exit.Vector, exit.ErrorCode));
        Assert.Equal((Linear + 8, AccessMode.Supervisor), (exit.Linear.Value, exit.Mode));
        Assert.Equal((BareMachine.Code, 0UL, 0UL), (machine.Registers.Rip, machine.System.Cr2, machine.Vcpu.Counters.PageFaults));
    }

    [Fact]
    public void PageFault_WhoseCauseGoesAway_LetsTheInstructionRun()
    {
        using BareMachine machine = Machine();
        machine.Unmap(Linear);
        machine.Assemble(c =>
        {
            c.mov(__[Linear], rax);
            c.hlt();
        });
        _ = machine.Run();
        machine.Remap(Linear);

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(2UL, machine.Vcpu.Counters.Instructions);
    }

    [Fact]
    public void InjectPageFault_OfAnotherErrorCode_IsWhatTheGuestTakes()
    {
        using BareMachine machine = Machine();
        machine.Unmap(Linear);
        machine.Assemble(c => c.mov(rax, __[Linear]));
        VmExit exit = machine.Run();

        Assert.Null(machine.Vcpu.InjectPageFault(exit.Linear, PageFaultErrorCode.Present | PageFaultErrorCode.Reserved));

        Assert.Equal(ExceptionVector.PageFault, machine.RunToHandler());
        Assert.Equal(9UL, machine.Frame(ExceptionVector.PageFault).ErrorCode);
        Assert.Equal((Linear, 1UL), (machine.System.Cr2, machine.Vcpu.Counters.PageFaults));
    }

    // The page fault is met on the way to the handler of #UD: a benign exception first, so the page fault is taken alone.
    [Fact]
    public void PageFault_OnTheWayToAHandler_IsInjectedInItsPlace()
    {
        using BareMachine machine = Machine();
        machine.Registers.Rsp = BareMachine.InterruptStackTop;
        machine.SetGate((byte)ExceptionVector.PageFault, BareMachine.DefaultGate((byte)ExceptionVector.PageFault) with { InterruptStack = 1 });
        machine.Registers.Rsp = Linear;
        machine.Unmap(Linear - 4096);
        machine.Assemble(c => c.ud2());

        VmExit exit = machine.Run();
        Assert.Null(machine.Vcpu.InjectPageFault(exit.Linear, (PageFaultErrorCode)exit.ErrorCode));

        Assert.Equal(ExceptionVector.PageFault, machine.RunToHandler());
    }

    [Fact]
    public void PageFault_OnTheWayToThePageFaultHandler_IsInjectedAsADoubleFault()
    {
        using BareMachine machine = Machine();
        machine.SetGate((byte)ExceptionVector.DoubleFault, BareMachine.DefaultGate((byte)ExceptionVector.DoubleFault) with { InterruptStack = 1 });
        machine.Registers.Rsp = Linear;
        machine.Unmap(Linear - 4096);
        machine.Assemble(c => c.push(rax));

        VmExit first = machine.Run();
        Assert.Null(machine.Vcpu.InjectPageFault(first.Linear, (PageFaultErrorCode)first.ErrorCode));
        VmExit second = machine.Run();
        Assert.Equal(VmExitReason.Exception, second.Reason);
        Assert.Null(machine.Vcpu.InjectPageFault(second.Linear, (PageFaultErrorCode)second.ErrorCode));

        Assert.Equal(ExceptionVector.DoubleFault, machine.RunToHandler());
        Assert.Equal(2UL, machine.Vcpu.Counters.PageFaults);
    }

    [Fact]
    public void InjectPageFault_WithoutAGuestKernel_IsTheExitItself()
    {
        using var machine = new BareMachine(new BareMachineOptions { ShadowsPaging = true, InterceptExceptions = true });
        machine.Unmap(Linear);
        machine.Assemble(c => c.mov(rax, __[Linear]));
        VmExit exit = machine.Run();

        VmExit? end = machine.Vcpu.InjectPageFault(exit.Linear, PageFaultErrorCode.User);

        Assert.Equal((VmExitReason.Exception, (uint)PageFaultErrorCode.User, Linear), (end!.Value.Reason, end.Value.ErrorCode, end.Value.Linear.Value));
    }

    private static BareMachine Machine() => new(new BareMachineOptions { ShadowsPaging = true });
}
