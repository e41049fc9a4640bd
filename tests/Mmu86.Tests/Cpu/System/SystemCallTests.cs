using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>SYSCALL, SYSRET, SYSENTER, SYSEXIT and SWAPGS.</summary>
public sealed class SystemCallTests
{
    private const ulong Star = ((ulong)BareSelectors.KernelCode << 32) | ((ulong)BareSelectors.UserCompatibility << 48);

    [Fact]
    public void Syscall_FromRing3_LoadsFlatSegmentsAndMasksFlags()
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.System.Star = Star;
        machine.System.Lstar = BareMachine.HandlerOf(0x80);
        machine.System.SyscallMask = (ulong)(RFlags.InterruptEnable | RFlags.Direction | RFlags.AlignmentCheck);
        machine.Registers.Flags = RFlags.InterruptEnable | RFlags.Direction | RFlags.Carry | RFlags.AlignmentCheck;
        machine.Assemble(c => c.syscall());

        Assert.Equal((ExceptionVector)0x80, machine.RunToHandler());

        Assert.Equal(BareMachine.UserCode + 2, machine.Registers.Rcx);
        Assert.Equal(0x40603UL, machine.Registers[11]);
        Assert.Equal(RFlags.Carry | RFlags.Reserved1, machine.Registers.Flags);
        Assert.Equal(BareMachine.UserStackTop, machine.Registers.Rsp);
        Assert.Equal((BareSelectors.KernelCode, BareSelectors.KernelData, 0), (machine.System.Cs.Selector, machine.System.Ss.Selector, machine.System.Cpl));
        Assert.True(machine.System.Cs.Long);
    }

    [Fact]
    public void Sysretq_AfterSyscall_ReturnsToRing3WithItsFlags()
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.System.Star = Star;
        machine.System.Lstar = BareMachine.Code;
        machine.System.SyscallMask = (ulong)RFlags.InterruptEnable;
        machine.Registers.Flags = RFlags.InterruptEnable | RFlags.Overflow;
        machine.Assemble(c =>
        {
            c.syscall();
            c.ud2();
        });
        machine.Assemble(BareMachine.Code, c =>
        {
            c.xor(eax, eax);
            c.sysretq();
        });

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        var expected = new EventFrame(
            null,
            BareMachine.UserCode + 2,
            BareSelectors.UserCode,
            RFlags.Reserved1 | RFlags.Resume | RFlags.InterruptEnable | RFlags.Overflow,
            BareMachine.UserStackTop,
            BareSelectors.UserData);
        Assert.Equal(expected, machine.Frame(ExceptionVector.InvalidOpcode));
        Assert.Equal(4UL, machine.Vcpu.Counters.Instructions);
    }

    [Fact]
    public void Sysretq_ToNonCanonicalAddress_FaultsInRing0()
    {
        using var machine = new BareMachine();
        machine.Registers.Rcx = 0x0000_8000_0000_0000;
        machine.Assemble(c => c.sysretq());

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));

        Assert.Equal(BareSelectors.KernelCode, machine.Frame(ExceptionVector.GeneralProtection).Cs);
    }

    [Theory]
    [InlineData("syscall", "#UD")]
    [InlineData("sysretq", "#UD")]
    public void Instruction_WithoutSce_IsUndefined(string name, string outcome)
    {
        using var machine = new BareMachine();
        machine.System.Efer &= ~Efer.SyscallEnable;
        machine.Vcpu.ContextChanged();
        machine.Assemble(c => Write(c, name));

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData("sysretq", "#GP 0x0")]
    [InlineData("sysexitq", "#GP 0x0")]
    [InlineData("swapgs", "#GP 0x0")]
    public void Instruction_InRing3_IsRefused(string name, string outcome)
    {
        using var machine = new BareMachine();
        machine.System.SysenterCs = BareSelectors.KernelCode;
        machine.EnterUserMode();
        machine.Assemble(c => Write(c, name));

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    // SDM 2, "SYSRET": CS is STAR[63:48], not + 16, and EIP is ECX. "SYSEXIT": CS is IA32_SYSENTER_CS + 16, EIP is EDX, ESP is ECX.
    [Theory]
    [InlineData("sysretd", BareSelectors.UserCompatibility, BareMachine.UserCode + 0x20, BareMachine.KernelStackTop)]
    [InlineData("sysexitd", BareSelectors.KernelCode + 16 + 3, BareMachine.UserCode + 0x40, BareMachine.UserCode + 0x20)]
    [Rule("P01")]
    public void Return_ToCompatibilityMode_Runs32BitCodeAtLevel3(string name, ushort selector, ulong eip, ulong esp)
    {
        using var machine = new BareMachine();
        machine.System.SysenterCs = BareSelectors.KernelCode;
        machine.System.Star = (ulong)BareSelectors.UserCompatibility << 48;
        machine.Registers.Rcx = 0xFFFF_FFFF_0000_0000 | (BareMachine.UserCode + 0x20);
        machine.Registers.Rdx = 0xFFFF_FFFF_0000_0000 | (BareMachine.UserCode + 0x40);
        machine.Registers[11] = 0x202;
        machine.Assemble(c => Write(c, name));

        // INC EAX and UD2 as 32-bit code; in 64-bit mode 40H would be a prefix of UD2.
        machine.WriteBytes(eip, [0x40, 0x0F, 0x0B]);
        machine.Registers.Rax = 0xFFFF_FFFF;

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        EventFrame frame = machine.Frame(ExceptionVector.InvalidOpcode);
        Assert.Equal((eip + 1, selector, esp), (frame.Rip, frame.Cs, frame.Rsp));
        Assert.Equal(0UL, machine.Registers.Rax);
    }

    [Fact]
    public void Syscall_Intercepted_IsAnExitBehindTheInstruction()
    {
        using var machine = new BareMachine(new BareMachineOptions { InterceptSyscalls = true });
        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.mov(eax, 60);
            c.syscall();
            c.ud2();
        });

        Assert.Equal(VmExitReason.Syscall, machine.Run().Reason);

        Assert.Equal(BareMachine.UserCode + 7, machine.Registers.Rip);
        Assert.Equal(BareMachine.UserCode + 7, machine.Registers.Rcx);
        Assert.Equal((3, 2UL), (machine.System.Cpl, machine.Vcpu.Counters.Instructions));
    }

    [Fact]
    public void SysenterAndSysexit_WithTheirRegisters_GoThereAndBack()
    {
        using var machine = new BareMachine();
        machine.SetDescriptor(0x48, BareSelectors.LongCode | BareSelectors.UserLevel);
        machine.System.SysenterCs = 0x28 | 3;
        machine.System.SysenterEip = BareMachine.Code;
        machine.System.SysenterEsp = BareMachine.KernelStackTop - 0x100;
        machine.EnterUserMode();
        machine.Registers.Flags = RFlags.InterruptEnable | RFlags.Carry;
        machine.Assemble(c => c.sysenter());
        machine.Assemble(BareMachine.Code, c =>
        {
            c.mov(rbx, rsp);
            c.pushfq();
            c.pop(rbp);
            c.mov(edx, (int)BareMachine.UserCode + 0x100);
            c.mov(ecx, (int)BareMachine.UserStackTop - 0x80);
            c.sysexitq();
        });
        machine.Assemble(BareMachine.UserCode + 0x100, c => c.ud2());

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.KernelStackTop - 0x100, machine.Registers.Rbx);
        Assert.Equal(3UL, machine.Registers.Rbp);
        EventFrame frame = machine.Frame(ExceptionVector.InvalidOpcode);
        Assert.Equal((BareMachine.UserCode + 0x100, BareMachine.UserStackTop - 0x80), (frame.Rip, frame.Rsp));
        Assert.Equal((0x4B, 0x53), (frame.Cs, frame.Ss));
    }

    [Fact]
    public void Sysenter_WithNullCs_IsRefused()
    {
        using var machine = new BareMachine();
        machine.System.SysenterCs = 3;
        machine.EnterUserMode();
        machine.Assemble(c => c.sysenter());

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Swapgs_InRing0_ExchangesTheBases()
    {
        using var machine = new BareMachine();
        machine.Registers.GsBase = 0x1000;
        machine.System.KernelGsBase = BareMachine.Data;
        machine.Write(BareMachine.Data + 8, 0x5A5A);
        machine.Assemble(c =>
        {
            c.swapgs();
            c.mov(rax, __.gs[8]);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(0x5A5AUL, machine.Registers.Rax);
        Assert.Equal((BareMachine.Data, 0x1000UL), (machine.Registers.GsBase, machine.System.KernelGsBase));
    }

    private static void Write(Assembler c, string name)
    {
        switch (name)
        {
            case "syscall": c.syscall(); break;
            case "sysretq": c.sysretq(); break;
            case "sysretd": c.sysret(); break;
            case "sysexitq": c.sysexitq(); break;
            case "sysexitd": c.sysexit(); break;
            default: c.swapgs(); break;
        }
    }
}
