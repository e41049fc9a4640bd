using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>IN, OUT, INS and OUTS, and who may use them.</summary>
public sealed class PortTests
{
    private const ushort Port = 0x300;
    private const ulong Bitmap = BareMachine.Tss + 0x68;

    [Fact]
    public void Out_OfEverySize_ReachesTheDevice()
    {
        using var machine = new BareMachine();
        RecordingPort device = Attach(machine);
        machine.Assemble(c =>
        {
            c.mov(eax, 0x1234_5678);
            c.mov(dx, Port);
            c.@out(dx, al);
            c.@out(dx, ax);
            c.@out(dx, eax);
            c.@in(eax, dx);
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        Assert.Equal([(Port, 0x78, 1), (Port, 0x5678, 2), (Port, 0x1234_5678, 4)], device.Writes);
        Assert.Equal(0UL, machine.Registers.Rax);
        Assert.Equal(1u, device.Reads);
    }

    [Fact]
    public void Out_WhenDeviceAsksToStop_ReturnsBehindTheInstruction()
    {
        using var machine = new BareMachine();
        Attach(machine).Written = machine.Vcpu.RequestStop;
        machine.Assemble(c =>
        {
            c.mov(dx, Port);
            c.@out(dx, al);
            c.hlt();
        });

        Assert.Equal(VmExitReason.StopRequested, machine.Run().Reason);

        Assert.Equal(BareMachine.Code + 5, machine.Registers.Rip);
        Assert.Equal(2UL, machine.Vcpu.Counters.Instructions);
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
    }

    [Theory]
    [InlineData(0, 1, true)]
    [InlineData(1, 1, false)]
    [InlineData(2, 1, true)]
    [InlineData(2, 2, false)]
    [InlineData(8, 4, false)]
    [InlineData(4, 4, true)]
    public void Out_InRing3_ObeysEveryBitOfTheBitmap(int deniedPort, int size, bool isAllowed)
    {
        using var machine = new BareMachine();
        RecordingPort device = Attach(machine);
        machine.WriteBytes(Bitmap + ((ulong)(Port + deniedPort) / 8), [(byte)(1 << (deniedPort % 8))]);
        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.mov(dx, (short)(Port + size switch { 1 => 1, 2 => 1, _ => 5 }));
            switch (size)
            {
                case 1: c.@out(dx, al); break;
                case 2: c.@out(dx, ax); break;
                default: c.@out(dx, eax); break;
            }

            c.ud2();
        });

        ExceptionVector vector = machine.RunToHandler();

        Assert.Equal(isAllowed ? ExceptionVector.InvalidOpcode : ExceptionVector.GeneralProtection, vector);
        Assert.Equal(isAllowed ? 1 : 0, device.Writes.Count);
    }

    [Fact]
    public void In_InRing3WithBitmapBeyondTheTss_IsRefused()
    {
        using var machine = new BareMachine();
        machine.System.Tr = machine.System.Tr with { Limit = 0x67 };
        machine.EnterUserMode();
        machine.Assemble(c => c.@in(al, 0x60));

        Assert.Equal(ExceptionVector.GeneralProtection, machine.RunToHandler());

        Assert.Equal(0UL, machine.Frame(ExceptionVector.GeneralProtection).ErrorCode);
    }

    [Fact]
    public void In_InRing3WithIoPrivilege3_NeedsNoBitmap()
    {
        using var machine = new BareMachine();
        machine.System.Tr = machine.System.Tr with { Limit = 0x67 };
        machine.EnterUserMode();
        machine.Registers.Flags = RFlags.IoPrivilege;
        machine.Assemble(c =>
        {
            c.@in(al, 0x60);
            c.ud2();
        });

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.RunToHandler());
    }

    [Fact]
    public void RepOutsb_FromMemory_WritesEveryByteAndCountsThem()
    {
        using var machine = new BareMachine();
        RecordingPort device = Attach(machine);
        machine.WriteBytes(BareMachine.Data, "hello"u8);
        machine.Assemble(c =>
        {
            c.mov(esi, (int)BareMachine.Data);
            c.mov(ecx, 5);
            c.mov(dx, Port);
            c.rep.outsb();
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        Assert.Equal("hello", string.Concat(device.Writes.Select(write => (char)write.Value)));
        Assert.Equal(0UL, machine.Registers.Rcx);
        Assert.Equal(BareMachine.Data + 5, machine.Registers.Rsi);
        Assert.Equal(5UL, machine.Vcpu.Counters.RepIterations);
        Assert.Equal(5UL, machine.Vcpu.Counters.Instructions);
        Assert.Equal(5UL, machine.Vcpu.Counters.Loads);
    }

    [Fact]
    public void RepInsb_IntoAbsentPage_FaultsBeforeTheDeviceIsReadAndGoesOn()
    {
        using var machine = new BareMachine();
        RecordingPort device = Attach(machine);
        machine.Unmap(BareMachine.Data + 0x1000);
        machine.Assemble(c =>
        {
            c.mov(edi, (int)BareMachine.Data + 0xFFE);
            c.mov(ecx, 4);
            c.mov(dx, Port);
            c.rep.insb();
            c.hlt();
        });

        Assert.Equal(ExceptionVector.PageFault, machine.RunToHandler());

        Assert.Equal(2u, device.Reads);
        Assert.Equal(2UL, machine.Registers.Rcx);
        Assert.Equal(BareMachine.Data + 0x1000, machine.Registers.Rdi);
        Assert.Equal(2UL, machine.Vcpu.Counters.Stores);
        machine.Remap(BareMachine.Data + 0x1000);
        machine.Assemble(machine.Registers.Rip, c =>
        {
            c.add(rsp, 8);
            c.iretq();
        });
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal([0, 1, 2, 3], machine.ReadBytes(BareMachine.Data + 0xFFE, 4));
        Assert.Equal(4u, device.Reads);
    }

    private static RecordingPort Attach(BareMachine machine)
    {
        var device = new RecordingPort();
        machine.Ports.Attach(Port, 16, device);
        return device;
    }
}
