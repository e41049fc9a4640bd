using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The 8259 pair and the 8254 as a kernel programs them. Code for 32-bit and 64-bit mode alike; changes EAX.</summary>
internal static class LegacyInterrupts
{
    /// <summary>The vector of line 0.</summary>
    public const byte FirstVector = 0x20;

    private const byte Command = 0x20;
    private const byte Mask = 0x21;
    private const byte SecondCommand = 0xA0;
    private const byte SecondMask = 0xA1;

    /// <summary>Emits the initialisation of both controllers, with vectors from <see cref="FirstVector"/> on and all lines masked.</summary>
    public static void EmitInitialise(Assembler c)
    {
        const byte Initialise = 0x11, SecondOnLine2 = 1 << 2, IsOnLine2 = 2, Mode8086 = 1, Lines = 8;
        Out(c, Command, Initialise);
        Out(c, SecondCommand, Initialise);
        Out(c, Mask, FirstVector);
        Out(c, SecondMask, FirstVector + Lines);
        Out(c, Mask, SecondOnLine2);
        Out(c, SecondMask, IsOnLine2);
        Out(c, Mask, Mode8086);
        Out(c, SecondMask, Mode8086);
        EmitMaskAll(c);
    }

    /// <summary>Emits the mask of all lines.</summary>
    public static void EmitMaskAll(Assembler c)
    {
        Out(c, SecondMask, 0xFF);
        Out(c, Mask, 0xFF);
    }

    /// <summary>Emits the mask of all lines but the timer's.</summary>
    public static void EmitListenToTimer(Assembler c) => Out(c, Mask, 0xFE);

    /// <summary>Emits the end of an interrupt of the first controller.</summary>
    public static void EmitEnd(Assembler c) => Out(c, Command, 0x20);

    /// <summary>Emits what makes the timer request an interrupt a hundred times a second: counter 0 in mode 2.</summary>
    public static void EmitTimer(Assembler c)
    {
        const byte Counter0 = 0x40, Control = 0x43, BothBytesMode2 = 0x34;
        const ushort Reload = 11932; // 1.193182 MHz / 100
        Out(c, Control, BothBytesMode2);
        Out(c, Counter0, Reload & 0xFF);
        Out(c, Counter0, Reload >> 8);
    }

    private static void Out(Assembler c, byte port, byte value)
    {
        c.mov(al, value);
        c.@out(port, al);
    }
}
