using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The services of a ring-0 guest: the serial port and the debug exit.</summary>
internal sealed class BareRuntime(GuestAssembler guest) : GuestRuntime(guest)
{
    private const ushort SerialData = 0x3F8;
    private const ushort SerialLineStatus = SerialData + 5;
    private const sbyte CanTakeByte = 0x20;
    private const sbyte HasSentAll = 0x40;
    private const byte DebugExit = 0xF4;

    /// <summary>Bochs ends when this text is written to its shutdown port, byte by byte.</summary>
    private const string BochsShutdown = "Shutdown";
    private const ushort BochsShutdownPort = 0x8900;

    public override void Exit()
    {
        Assembler c = Guest.Code;
        Label halt = c.CreateLabel();
        c.@out(DebugExit, al);

        // Here is only who has no debug exit. Bochs sends at the speed of the line, so let it finish before the end.
        EmitWaitFor(HasSentAll);
        c.mov(dx, unchecked((short)BochsShutdownPort));
        foreach (char letter in BochsShutdown)
        {
            c.mov(al, (byte)letter);
            c.@out(dx, al);
        }

        c.cli();
        c.Label(ref halt);
        c.hlt();
        c.jmp(halt);
    }

    public override void MakeExecutable(ulong address, ulong bytes)
    {
        // The loader maps all memory with all rights.
    }

    protected override void EmitPrint()
    {
        Assembler c = Guest.Code;
        Label next = c.CreateLabel();
        c.mov(rcx, rdx);
        c.Label(ref next);
        EmitWaitFor(CanTakeByte);
        c.mov(al, __[rsi]);
        c.mov(edx, SerialData);
        c.@out(dx, al);
        c.inc(rsi);
        c.dec(rcx);
        c.jnz(next);
        c.ret();
    }

    private void EmitWaitFor(sbyte status)
    {
        Assembler c = Guest.Code;
        Label wait = c.CreateLabel();
        c.mov(edx, SerialLineStatus);
        c.Label(ref wait);
        c.@in(al, dx);
        c.test(al, status);
        c.jz(wait);
    }
}
