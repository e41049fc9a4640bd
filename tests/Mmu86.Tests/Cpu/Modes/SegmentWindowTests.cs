using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Modes;

/// <summary>Limits, types and the null selector in protected mode. SDM 3, "Limit Checking" and "Type Checking".</summary>
public sealed class SegmentWindowTests
{
    private const ulong Base = 0x2_0000;
    private const ushort ReadWrite = 0x4093;
    private const ushort ReadOnly = 0x4091;
    private const ushort Down32 = 0x4097;
    private const ushort Down16 = 0x0097;
    private const ushort ReadableCode = 0x409B;
    private const ushort ExecuteOnly = 0x4099;

    // Expand-up: offsets 0 to the limit. Expand-down: from the limit plus 1 to FFFFFFFFH or, with B=0, FFFFH.
    [Theory]
    [InlineData(ReadWrite, 0xFFF, 0xFFC, 4, true, true)]
    [InlineData(ReadWrite, 0xFFF, 0xFFD, 4, false, false)]
    [InlineData(ReadWrite, 0xFFF, 0xFFF, 1, true, true)]
    [InlineData(ReadWrite, 0xFFF, 0x1000, 1, false, false)]
    [InlineData(ReadOnly, 0xFFF, 0, 4, true, false)]
    [InlineData(Down32, 0xFFF, 0x1000, 4, true, true)]
    [InlineData(Down32, 0xFFF, 0xFFF, 1, false, false)]
    [InlineData(Down32, 0xFFF, 0xFFE, 4, false, false)]
    [InlineData(Down32, 0xFFF, 0x1_0000, 4, true, true)]
    [InlineData(Down16, 0xFFF, 0xFFFC, 4, true, true)]
    [InlineData(Down16, 0xFFF, 0xFFFD, 4, false, false)]
    [InlineData(Down16, 0xFFF, 0x1_0000, 1, false, false)]
    [InlineData(ReadableCode, 0xFFF, 0, 4, true, false)]
    [InlineData(ExecuteOnly, 0xFFF, 0, 4, false, false)]
    [InlineData(0, 0, 0, 1, false, false)]
    public void Access_InASegment_IsAllowedByLimitAndType(int attributes, int limit, int offset, int size, bool isReadable, bool isWritable)
    {
        Assert.Equal(isReadable, IsAllowed(attributes, limit, offset, size, isWrite: false));
        Assert.Equal(isWritable, IsAllowed(attributes, limit, offset, size, isWrite: true));
    }

    [Fact]
    [Rule("P01")]
    public void LinearAddress_OutsideLongMode_Has32Bits()
    {
        using NarrowMachine machine = NarrowMachine.Flat();
        machine.Memory.Write(new HostPhysicalAddress(0x2_3000), 0x1122_3344u);
        machine.Set(system => system.Ds = new SegmentRegister(0x18, 0xFFFF_F000, uint.MaxValue, 0xC093));
        machine.Assemble(32, a =>
        {
            a.mov(eax, __dword_ptr[0x2_4000]);
            a.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(0x1122_3344UL, machine.Registers.Rax);
    }

    // What the stack refuses is #SS(0); ESP and EIP stay.
    [Theory]
    [Rule("R13")]
    [InlineData(new byte[] { 0x50 })] // PUSH EAX
    [InlineData(new byte[] { 0x68, 1, 2, 3, 4 })] // PUSH imm32
    [InlineData(new byte[] { 0xE8, 0, 0, 0, 0 })] // CALL
    [InlineData(new byte[] { 0xFF, 0xD0 })] // CALL EAX
    [InlineData(new byte[] { 0xC8, 8, 0, 3 })] // ENTER 8, 3
    [InlineData(new byte[] { 0x60 })] // PUSHAD
    [InlineData(new byte[] { 0x9C })] // PUSHFD
    [InlineData(new byte[] { 0x06 })] // PUSH ES
    [InlineData(new byte[] { 0xFF, 0x30 })] // PUSH [EAX]
    [InlineData(new byte[] { 0xFF, 0x10 })] // CALL [EAX]
    public void Stack_OutOfRoom_FaultsWithTheStackPointerAsBefore(byte[] code)
    {
        using NarrowMachine machine = NarrowMachine.Flat();
        machine.Memory.Write(new HostPhysicalAddress(NarrowMachine.Code), code);
        machine.Set(system => system.Ss = new SegmentRegister(0x18, Base, 0xFFF, Down32));
        machine.Registers.Rsp = 0x1002;
        machine.Registers.Rbp = 0x1002;

        VmExit exit = machine.Run();

        Assert.Equal((VmExitReason.Exception, ExceptionVector.StackFault, 0u), (exit.Reason, exit.Vector, exit.ErrorCode));
        Assert.Equal((0x1002UL, 0x1002UL, (ulong)NarrowMachine.Code), (machine.Registers.Rsp, machine.Registers.Rbp, machine.Registers.Rip));
    }

    [Fact]
    public void SegmentReload_InARunningBlock_IsInForceForTheNextInstruction()
    {
        using NarrowMachine machine = NarrowMachine.Flat();
        machine.Memory.Write(new HostPhysicalAddress(0x3_0008), 0x00CF_9300_0000_FFFFUL);
        machine.Memory.Write(new HostPhysicalAddress(0x3_0010), 0x0040_9302_0000_0FFFUL);
        machine.System.Gdtr = new DescriptorTableRegister(0x3_0000, 0x17);
        machine.Memory.Write(new HostPhysicalAddress(0x2_0010), 0xCAFEu);
        machine.Assemble(32, a =>
        {
            a.mov(eax, 0x10);
            a.mov(ds, eax);
            a.mov(ecx, __dword_ptr[0x10]);
            a.mov(edx, __dword_ptr[0xFFD]);
        });

        VmExit exit = machine.Run();

        Assert.Equal(0xCAFEUL, machine.Registers.Rcx);
        Assert.Equal((VmExitReason.Exception, ExceptionVector.GeneralProtection, 0u), (exit.Reason, exit.Vector, exit.ErrorCode));
    }

    private static bool IsAllowed(int attributes, int limit, int offset, int size, bool isWrite)
    {
        using NarrowMachine machine = NarrowMachine.Flat();
        machine.Set(system => system.Ds = new SegmentRegister(0x18, Base, (uint)limit, (ushort)attributes));
        machine.Registers.Rbx = (ulong)offset;
        machine.Assemble(32, a => Access(a, size, isWrite));
        VmExit exit = machine.Run();
        if (exit.Reason == VmExitReason.Halt)
            return true;
        Assert.Equal((VmExitReason.Exception, ExceptionVector.GeneralProtection, 0u), (exit.Reason, exit.Vector, exit.ErrorCode));
        return false;
    }

    private static void Access(Assembler a, int size, bool isWrite)
    {
        if (isWrite && size == 1)
            a.mov(__byte_ptr[ebx], al);
        else if (isWrite)
            a.mov(__dword_ptr[ebx], eax);
        else if (size == 1)
            a.mov(al, __byte_ptr[ebx]);
        else
            a.mov(eax, __dword_ptr[ebx]);
        a.hlt();
    }
}
