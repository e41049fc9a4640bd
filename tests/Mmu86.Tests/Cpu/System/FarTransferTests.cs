using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>Far JMP, CALL and RET.</summary>
public sealed class FarTransferTests
{
    private const ulong Target = BareMachine.Code + 0x800;
    private const ulong Conforming = 0x00AF_9F00_0000_FFFF;

    // A 64-bit call gate at the free selector.
    private const ulong GateType = 12UL << 40;

    [Theory]
    [InlineData(0x08, "halt")]
    [InlineData(0x00, "#GP 0x0")]
    [InlineData(0x03, "#GP 0x0")]
    [InlineData(0x0B, "#GP 0x8")]
    [InlineData(0x10, "#GP 0x10")]
    [InlineData(0x2B, "#GP 0x28")]
    [InlineData(0x30, "#GP 0x30")]
    [InlineData(0x44, "#GP 0x44")]
    [InlineData(0x1000, "#GP 0x1000")]
    [InlineData(0x18, "#GP 0x18")]
    public void Jmp_ToSelector_EntersOrFaults(ushort selector, string outcome)
    {
        using var machine = new BareMachine();
        Point(machine, selector, Target);
        machine.Assemble(c => c.db(0x48, 0xFF, 0x2E)); // jmp far [rsi], 64-bit offset
        machine.Assemble(Target, c => c.hlt());

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(0x00AF_1B00_0000_FFFF, "#NP 0x40")]
    [InlineData(0x00EF_9B00_0000_FFFF, "#GP 0x40")]
    [InlineData(0x00CF_9B00_0000_FFFF, "halt")]
    [InlineData(0x00AF_9A00_0000_FFFF, "halt")]
    public void Jmp_ToDescriptor_EntersOrFaults(ulong descriptor, string outcome)
    {
        using var machine = new BareMachine();
        machine.SetDescriptor(BareSelectors.Free, descriptor);
        Point(machine, BareSelectors.Free, Target);
        machine.Assemble(c => c.db(0x48, 0xFF, 0x2E));
        machine.Assemble(Target, c => c.hlt());

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Fact]
    public void Jmp_FromRing3ToConformingSegment_KeepsTheLevel()
    {
        using var machine = new BareMachine();
        machine.SetDescriptor(BareSelectors.Free, Conforming);
        machine.EnterUserMode();
        machine.Write(BareMachine.UserData, BareMachine.UserCode + 0x100);
        machine.Write(BareMachine.UserData + 8, BareSelectors.Free);
        machine.Registers.Rsi = BareMachine.UserData;
        machine.Assemble(c => c.db(0x48, 0xFF, 0x2E));
        machine.Assemble(BareMachine.UserCode + 0x100, c => c.ud2());

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        EventFrame frame = machine.Frame(ExceptionVector.InvalidOpcode);
        Assert.Equal((BareMachine.UserCode + 0x100, BareSelectors.Free | 3), (frame.Rip, frame.Cs));
    }

    [Theory]
    [InlineData(2, new byte[] { 0x66, 0xFF, 0x1E })]
    [InlineData(4, new byte[] { 0xFF, 0x1E })]
    [InlineData(8, new byte[] { 0x48, 0xFF, 0x1E })]
    public void CallAndRet_OfEveryOperandSize_PushAndPopThatMuch(int size, byte[] call)
    {
        const ushort Near = 0x5000;
        using var machine = new BareMachine();
        machine.Registers.Rip = 0x6000;
        machine.WriteBytes(0x7000, BitConverter.GetBytes((ulong)Near)[..size]);
        machine.WriteBytes(0x7000 + (ulong)size, BitConverter.GetBytes(BareSelectors.KernelCode));
        machine.Registers.Rsi = 0x7000;
        machine.Assemble(c =>
        {
            c.db(call);
            c.hlt();
        });
        byte[] ret = size switch { 2 => [0x66, 0xCA, 0x10, 0x00], 4 => [0xCA, 0x10, 0x00], _ => [0x48, 0xCA, 0x10, 0x00] };
        machine.WriteBytes(Near, [0x48, 0x89, 0xE3, .. ret]); // mov rbx, rsp; retf 0x10

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.KernelStackTop - (2 * (ulong)size), machine.Registers.Rbx);
        Assert.Equal(BareMachine.KernelStackTop + 0x10, machine.Registers.Rsp);
        Assert.Equal(0x6000UL + (ulong)call.Length, BitConverter.ToUInt16(machine.ReadBytes(machine.Registers.Rbx, 2)));
    }

    [Fact]
    public void Call_ThroughGateToInnerLevel_SwitchesStacksAndRetfReturns()
    {
        using var machine = new BareMachine();
        SetCallGate(machine, BareSelectors.KernelCode, BareMachine.Code, GateType | BareSelectors.Present | BareSelectors.UserLevel);
        machine.EnterUserMode();
        machine.Write(BareMachine.UserData, 0xDEAD_BEEF);
        machine.Write(BareMachine.UserData + 8, BareSelectors.Free | 3);
        machine.Registers.Rsi = BareMachine.UserData;
        machine.Assemble(c =>
        {
            c.db(0x48, 0xFF, 0x1E);
            c.ud2();
        });
        machine.Assemble(BareMachine.Code, c =>
        {
            c.mov(rbx, rsp);
            c.db(0x48, 0xCB); // retf, 64-bit
        });

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.KernelStackTop - 32, machine.Registers.Rbx);
        EventFrame frame = machine.Frame(ExceptionVector.InvalidOpcode);
        Assert.Equal(
            (BareMachine.UserCode + 3, BareSelectors.UserCode, BareMachine.UserStackTop, BareSelectors.UserData),
            (frame.Rip, frame.Cs, frame.Rsp, frame.Ss));
        Assert.Equal(4UL, machine.Vcpu.Counters.Stores);
    }

    [Theory]
    [InlineData(BareSelectors.KernelCode, GateType, "#NP 0x40")]
    [InlineData(BareSelectors.KernelCode, GateType | BareSelectors.Present, "halt")]
    [InlineData(0, GateType | BareSelectors.Present, "#GP 0x0")]
    [InlineData(BareSelectors.KernelData, GateType | BareSelectors.Present, "#GP 0x10")]
    [InlineData(BareSelectors.UserCompatibility, GateType | BareSelectors.Present, "#GP 0x18")]
    [InlineData(BareSelectors.KernelCode, (4UL << 40) | BareSelectors.Present, "#GP 0x40")]
    public void Jmp_ThroughGate_EntersOrFaults(ushort selector, ulong flags, string outcome)
    {
        using var machine = new BareMachine();
        SetCallGate(machine, selector, Target, flags);
        Point(machine, BareSelectors.Free, 0);
        machine.Assemble(c => c.db(0x48, 0xFF, 0x2E));
        machine.Assemble(Target, c => c.hlt());

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Fact]
    public void Jmp_ThroughGateWithTypeInItsUpperHalf_IsRefused()
    {
        using var machine = new BareMachine();
        SetCallGate(machine, BareSelectors.KernelCode, Target, GateType | BareSelectors.Present);
        machine.SetDescriptor(BareSelectors.Free + 8, 0x0000_0C00_0000_0000);
        Point(machine, BareSelectors.Free, 0);
        machine.Assemble(c => c.db(0x48, 0xFF, 0x2E));

        Assert.Equal("#GP 0x40", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Retf_ToInnerLevel_IsRefused()
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.push(BareSelectors.KernelCode);
            c.push((int)BareMachine.Code);
            c.db(0x48, 0xCB);
        });

        Assert.Equal("#GP 0x8", MachineOutcome.Run(machine));
    }

    // Puts a far pointer at [rsi].
    private static void Point(BareMachine machine, ushort selector, ulong offset)
    {
        machine.Write(BareMachine.Data, offset);
        machine.Write(BareMachine.Data + 8, selector);
        machine.Registers.Rsi = BareMachine.Data;
    }

    private static void SetCallGate(BareMachine machine, ushort selector, ulong target, ulong flags)
    {
        machine.SetDescriptor(BareSelectors.Free, (target & 0xFFFF) | ((ulong)selector << 16) | flags | ((target & 0xFFFF_0000) << 32));
        machine.SetDescriptor(BareSelectors.Free + 8, target >> 32);
    }
}
