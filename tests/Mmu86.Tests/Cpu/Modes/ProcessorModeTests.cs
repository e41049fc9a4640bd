using Mmu86.Cpu;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Cpu.Modes;

/// <summary>Which mode a state is in, and the state after RESET.</summary>
public sealed class ProcessorModeTests
{
    private const ushort LongCode = 0xA09B;
    private const ushort Code32 = 0xC09B;

    // SDM 1, "Modes of Operation"; SDM 3, "Modes of Operation": CR0.PE, then IA32_EFER.LMA and CS.L, then EFLAGS.VM.
    [Theory]
    [InlineData(false, false, Code32, false, ProcessorMode.Real)]
    [InlineData(true, false, Code32, false, ProcessorMode.Protected)]
    [InlineData(true, false, LongCode, false, ProcessorMode.Protected)]
    [InlineData(true, false, Code32, true, ProcessorMode.Virtual8086)]
    [InlineData(true, true, Code32, false, ProcessorMode.Compatibility)]
    [InlineData(true, true, LongCode, false, ProcessorMode.Long64)]
    public void Mode_OfEachState_IsTheManuals(bool isProtected, bool isLong, int code, bool isVirtual, ProcessorMode expected)
    {
        using var machine = new NarrowMachine();
        machine.System.Cr0 = isProtected ? Cr0.ProtectionEnable : 0;
        machine.System.Efer = isLong ? Efer.LongModeEnable | Efer.LongModeActive : 0;
        machine.System.Cs = new SegmentRegister(8, 0, uint.MaxValue, (ushort)code);
        machine.Registers.Flags = isVirtual ? RFlags.Virtual8086 : RFlags.None;
        machine.Vcpu.ModeChanged();

        Assert.Equal(expected, machine.Vcpu.Mode);
    }

    // SDM 3, "Processor State After Reset", the table of states following power-up, RESET or INIT.
    [Fact]
    public void Reset_LeavesTheStateOfTheManual()
    {
        using NarrowMachine machine = NarrowMachine.Flat();
        StartState.Reset(machine.Vcpu);

        SystemState system = machine.System;
        Assert.Equal(0x6000_0010UL, (ulong)system.Cr0);
        Assert.Equal((0UL, 0UL, 0UL), (system.Cr2, system.Cr3, (ulong)system.Cr4));
        Assert.Equal(0xFFF0UL, machine.Registers.Rip);
        Assert.Equal(2UL, (ulong)machine.Registers.Flags);
        Assert.Equal(new SegmentRegister(0xF000, 0xFFFF_0000, 0xFFFF, 0x93), system.Cs);
        Assert.All([system.Ss, system.Ds, system.Es, system.Fs, system.Gs], data => Assert.Equal(new SegmentRegister(0, 0, 0xFFFF, 0x93), data));
        Assert.Equal(new DescriptorTableRegister(0, 0xFFFF), system.Gdtr);
        Assert.Equal(new DescriptorTableRegister(0, 0xFFFF), system.Idtr);
        Assert.Equal(0x506E3UL, machine.Registers.Rdx);
        Assert.All([0, 1, 3, 4, 5, 6, 7], number => Assert.Equal(0UL, machine.Registers[number]));
        Assert.Equal(ProcessorMode.Real, machine.Vcpu.Mode);
    }
}
