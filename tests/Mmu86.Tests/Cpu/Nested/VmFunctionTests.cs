using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>VMFUNC and EPTP switching. SDM 3, "VM Functions" (E18).</summary>
public sealed class VmFunctionTests
{
    private const ulong List = 0xF0_0000;
    private const ulong Other = 0xA0_0000;

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [Rule("E18")]
    public void Vmfunc_ValidEntry_SwitchesTheEptPointerAndNothingElse(int cpl)
    {
        using BareMachine machine = Make(out EptBuilder ept, out NestedControls controls);
        if (cpl == 3)
            machine.EnterUserMode();
        ulong code = machine.Registers.Rip;
        machine.Memory.Write(new HostPhysicalAddress(Other), 0x1234_5678UL);
        var second = new EptBuilder(machine.Memory, new FrameAllocator(new HostFrameNumber(0xC00), 0x80));
        second.MapRange(default, default, 0x800, PageSize.Size4K);
        second.Map(new(BareMachine.UserData), new(Other), PageSize.Size4K, EptEntry.Rights | EptEntry.MemoryTypeWriteBack);
        machine.Write(List + (7 * 8), second.Eptp);
        machine.Registers.Rax = 0xFFFF_FFFF_0000_0000;
        machine.Registers.Rcx = 0xFFFF_FFFF_0000_0007;
        machine.Registers.Rsi = BareMachine.UserData;
        machine.Assemble(c =>
        {
            c.mov(rbx, __qword_ptr[rsi]);
            c.vmfunc();
            c.mov(rdx, __qword_ptr[rsi]);
            c.ud2();
        });

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.RunToHandler());

        Assert.Equal((0UL, 0x1234_5678UL), (machine.Registers.Rbx, machine.Registers.Rdx));
        Assert.Equal((0xFFFF_FFFF_0000_0000, 0xFFFF_FFFF_0000_0007), (machine.Registers.Rax, machine.Registers.Rcx));
        Assert.Equal((second.Eptp, (ushort)7), (machine.Mmu.Context.Eptp, controls.EptpIndex));
        Assert.NotEqual(ept.Eptp, second.Eptp);
        Assert.Equal(RFlags.Reserved1 | RFlags.Resume, machine.Frame(ExceptionVector.InvalidOpcode).Flags);
        Assert.True(machine.Frame(ExceptionVector.InvalidOpcode).Rip > code);
    }

    [Theory]
    [InlineData(0UL, 512UL, 0x1EUL)] // beyond the list
    [InlineData(0UL, 1UL, 0x00UL)] // no walk length
    [InlineData(0UL, 1UL, 0x19UL)] // memory type
    [InlineData(0UL, 1UL, 0x9EUL)] // reserved bit
    [InlineData(0UL, 1UL, 0x26UL)] // five levels, which the machine lacks
    [InlineData(1UL, 1UL, 0x1EUL)] // a function that is off
    [InlineData(63UL, 1UL, 0x1EUL)]
    [Rule("E18")]
    public void Vmfunc_WhatCannotBeSwitchedTo_IsAVmExitAtTheInstruction(ulong function, ulong index, ulong entry)
    {
        using BareMachine machine = Make(out EptBuilder ept, out NestedControls controls);
        machine.Write(List + 8, entry);
        machine.Registers.Rax = function;
        machine.Registers.Rcx = index;
        machine.Assemble(c => c.vmfunc());

        VmExit exit = machine.Run();

        Assert.Equal(VmExitReason.VmFunction, exit.Reason);
        Assert.Equal(BareMachine.Code, machine.Registers.Rip);
        Assert.Equal((ept.Eptp, (ushort)0), (machine.Mmu.Context.Eptp, controls.EptpIndex));
    }

    [Theory]
    [InlineData(true, 64UL)]
    [InlineData(true, 0xFFFF_FFFFUL)]
    [InlineData(false, 0UL)]
    [Rule("E18")]
    public void Vmfunc_ThatDoesNotExist_IsAnInvalidOpcode(bool isEnabled, ulong function)
    {
        using BareMachine machine = Make(out EptBuilder ept, out _);
        if (!isEnabled)
            machine.Vcpu.ContextChanged(ept.Eptp, 1, null);
        machine.Registers.Rax = function;
        machine.Assemble(c => c.vmfunc());

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.RunToHandler());
    }

    [Fact]
    [Rule("E18")]
    public void Vmfunc_OutsideAVirtualMachine_IsAnInvalidOpcode()
    {
        using var machine = new BareMachine();
        machine.Assemble(c => c.vmfunc());

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.RunToHandler());
    }

    [Fact]
    [Rule("N09")]
    public void Invlpga_WithoutSvm_IsAnInvalidOpcodeInEveryRing()
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.WriteBytes(machine.Registers.Rip, [0x0F, 0x01, 0xDF]);

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.RunToHandler());
    }

    private static BareMachine Make(out EptBuilder ept, out NestedControls controls)
    {
        var machine = new BareMachine();
        ept = machine.EnableEpt();
        controls = new NestedControls { VmFunctions = true, EptpList = new(List) };
        machine.Vcpu.ContextChanged(ept.Eptp, 1, controls);
        return machine;
    }
}
