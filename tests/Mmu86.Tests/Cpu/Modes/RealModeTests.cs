using Mmu86.Cpu;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Modes;

/// <summary>Real-address mode: paragraphs, 64-KByte limits, IP and SP of 16 bits. SDM 3, "Real-Address Mode".</summary>
public sealed class RealModeTests
{
    [Fact]
    public void Operand_IsAtSegmentTimesSixteenPlusOffset()
    {
        using NarrowMachine machine = NarrowMachine.Real();
        machine.Memory.Write(new HostPhysicalAddress(0x2_3456), (ushort)0xBEEF);
        machine.Assemble(16, a =>
        {
            a.mov(ax, 0x2345);
            a.mov(ds, ax);
            a.mov(cx, __word_ptr[6]);
            a.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(0xBEEFUL, machine.Registers.Rcx);
    }

    // The real-address mode exceptions of MOV: #GP where an effective address is outside CS, DS, ES, FS or GS, #SS where it is outside SS.
    [Theory]
    [InlineData(0xFFFE, false, null)]
    [InlineData(0xFFFF, false, ExceptionVector.GeneralProtection)]
    [InlineData(0xFFFE, true, null)]
    [InlineData(0xFFFF, true, ExceptionVector.StackFault)]
    public void WordOperand_AtTheEndOfItsSegment_FaultsPastTheLimit(int offset, bool isStack, ExceptionVector? expected)
    {
        using NarrowMachine machine = NarrowMachine.Real();
        machine.Registers.Rbp = (ulong)offset;
        machine.Registers.Rbx = (ulong)offset;
        machine.Assemble(16, a =>
        {
            if (isStack)
                a.mov(ax, __word_ptr[bp]);
            else
                a.mov(ax, __word_ptr[bx]);
            a.hlt();
        });

        VmExit exit = machine.Run();

        Assert.Equal(expected is null ? VmExitReason.Halt : VmExitReason.Exception, exit.Reason);
        if (expected is { } vector)
            Assert.Equal((vector, 0u, 0UL), (exit.Vector, exit.ErrorCode, machine.Registers.Rip));
    }

    [Fact]
    public void NearJump_PastTheEnd_WrapsIp()
    {
        using NarrowMachine machine = NarrowMachine.Real();

        // JMP +20H at FFF0H, two bytes long, leads to 0012H.
        machine.Memory.Write(new HostPhysicalAddress(NarrowMachine.Code + 0xFFF0), [0xEB, 0x20]);
        machine.Memory.Write(new HostPhysicalAddress(NarrowMachine.Code + 0x12), [0xF4]);
        machine.Registers.Rip = 0xFFF0;

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(0x13UL, machine.Registers.Rip);
    }

    // SDM 3, "Limit Checking": an instruction whose bytes are not all inside CS is #GP(0); IP does not wrap by itself.
    [Theory]
    [InlineData(0xFFFF, 0xFFFF)]
    [InlineData(0xFFFE, 0x1_0000)]
    public void Code_RunningOffItsSegment_IsGeneralProtection(int start, int faultsAt)
    {
        using NarrowMachine machine = NarrowMachine.Real();

        // At FFFEH two NOPs; at FFFFH the first byte of MOV AX, imm16.
        machine.Memory.Write(new HostPhysicalAddress(NarrowMachine.Code + 0xFFFE), [0x90, start == 0xFFFF ? (byte)0xB8 : (byte)0x90, 0x34, 0x12]);
        machine.Registers.Rip = (ulong)start;

        VmExit exit = machine.Run();

        Assert.Equal((VmExitReason.Exception, ExceptionVector.GeneralProtection, 0u), (exit.Reason, exit.Vector, exit.ErrorCode));
        Assert.Equal((ulong)faultsAt, machine.Registers.Rip);
    }

    [Fact]
    public void Push_AtSpZero_WrapsToTheTopOfTheSegment()
    {
        using NarrowMachine machine = NarrowMachine.Real();
        machine.Registers.Rsp = 0xABCD_0000;
        machine.Assemble(16, a =>
        {
            a.push(0x1234);
            a.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(0xABCD_FFFEUL, machine.Registers.Rsp);
        Assert.Equal(0x1234UL, machine.Read(0xFFFE, 2));
    }

    // SDM 2, "PUSHA/PUSHAD", real-address mode exceptions: #GP if SP contains 7, 9, 11, 13 or 15.
    [Theory]
    [InlineData(7)]
    [InlineData(9)]
    [InlineData(11)]
    [InlineData(13)]
    [InlineData(15)]
    public void Pusha_WithAnOddStackPointerNearZero_IsGeneralProtection(int sp)
    {
        using NarrowMachine machine = NarrowMachine.Real();
        machine.Registers.Rsp = (ulong)sp;
        machine.Assemble(16, a => a.db(0x60));

        VmExit exit = machine.Run();

        Assert.Equal((VmExitReason.Exception, ExceptionVector.GeneralProtection), (exit.Reason, exit.Vector));
        Assert.Equal((ulong)sp, machine.Registers.Rsp);
    }

    [Fact]
    public void RepStosb_AcrossTheEndOfTheOffsets_WrapsDi()
    {
        using NarrowMachine machine = NarrowMachine.Real();
        machine.Registers.Rax = 0x5A;
        machine.Registers.Rcx = 0x7777_0004;
        machine.Registers.Rdi = 0x8888_FFFE;
        machine.Set(system => system.Es = system.Es with { Selector = 0x3000, Base = 0x3_0000 });
        machine.Assemble(16, a =>
        {
            a.rep.stosb();
            a.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal((0x7777_0000UL, 0x8888_0002UL), (machine.Registers.Rcx, machine.Registers.Rdi));
        Assert.Equal((0x5A5AUL, 0x5A5AUL), (machine.Read(0x3_FFFE, 2), machine.Read(0x3_0000, 2)));
    }

    // SDM 2: "not recognized in real-address mode".
    [Theory]
    [InlineData(new byte[] { 0x63, 0xC3 })] // ARPL
    [InlineData(new byte[] { 0x0F, 0x02, 0xC3 })] // LAR
    [InlineData(new byte[] { 0x0F, 0x03, 0xC3 })] // LSL
    [InlineData(new byte[] { 0x0F, 0x00, 0xC0 })] // SLDT
    [InlineData(new byte[] { 0x0F, 0x00, 0xC8 })] // STR
    [InlineData(new byte[] { 0x0F, 0x00, 0xE0 })] // VERR
    [InlineData(new byte[] { 0x0F, 0x00, 0xE8 })] // VERW
    [InlineData(new byte[] { 0xF0, 0x90 })] // LOCK NOP
    [InlineData(new byte[] { 0xF0, 0x8B, 0x07 })] // LOCK MOV
    public void Instruction_ThatTheModeDoesNotHave_IsInvalidOpcode(byte[] code)
    {
        using NarrowMachine machine = NarrowMachine.Real();
        machine.Memory.Write(new HostPhysicalAddress(NarrowMachine.Code), code);

        VmExit exit = machine.Run();

        Assert.Equal((VmExitReason.Exception, ExceptionVector.InvalidOpcode), (exit.Reason, exit.Vector));
    }
}
