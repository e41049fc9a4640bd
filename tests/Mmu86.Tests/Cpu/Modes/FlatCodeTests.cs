using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Modes;

/// <summary>32-bit code in flat segments.</summary>
public sealed class FlatCodeTests
{
    [Fact]
    public void Loop_WithCallsAndMemory_ComputesAsWritten()
    {
        using NarrowMachine machine = NarrowMachine.Flat();
        machine.Assemble(32, a =>
        {
            Label loop = a.CreateLabel(), square = a.CreateLabel();
            a.mov(ecx, 100);
            a.mov(__dword_ptr[0x2_0000], 0);
            a.Label(ref loop);
            a.push(ecx);
            a.call(square);
            a.add(__dword_ptr[0x2_0000], eax);
            a.pop(ecx);
            a.dec(ecx);
            a.jnz(loop);
            a.hlt();
            a.Label(ref square);
            a.mov(eax, __dword_ptr[esp + 4]);
            a.imul(eax, eax);
            a.ret();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(338350u, machine.Read(0x2_0000, 4));
        Assert.Equal((ulong)NarrowMachine.Code, machine.Registers.Rsp);
    }

    [Fact]
    public void IncrementShortForm_IsNoRexPrefix()
    {
        using NarrowMachine machine = NarrowMachine.Flat();
        machine.Memory.Write(new HostPhysicalAddress(NarrowMachine.Code), [0x40, 0x48, 0x40, 0xF4]);

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(1ul, machine.Registers.Rax);
        Assert.Equal(ProcessorMode.Protected, machine.Vcpu.Mode);
    }

    [Fact]
    public void SameBytes_RunInTwoModes_AreDecodedForEach()
    {
        using NarrowMachine machine = NarrowMachine.Flat();

        // B8 takes four bytes of immediate in 32-bit code, two in 16-bit code: there 40H and 90H are INC AX and NOP.
        machine.Memory.Write(new HostPhysicalAddress(NarrowMachine.Code), [0xB8, 0x34, 0x12, 0x40, 0x90, 0xF4]);
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(0x9040_1234ul, machine.Registers.Rax);

        machine.Set(system => system.Cs = system.Cs with { Attributes = 0x809B });
        machine.Registers.Rip = NarrowMachine.Code;
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(0x9040_1235ul, machine.Registers.Rax);
    }
}
