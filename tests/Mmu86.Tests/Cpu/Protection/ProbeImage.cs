using System.Globalization;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <summary>One experiment in 32-bit level 0. It ends in an exception, an interrupt, or at <see cref="ProbeLayout.Done"/>.</summary>
/// <param name="Name">What is tried.</param>
/// <param name="Write">Its code.</param>
internal sealed record Probe(string Name, Action<ProbeWriter> Write);

/// <summary>Assembles probes and the code that runs them one after the other and prints a line for each.</summary>
/// <remarks>
/// The image begins in real-address mode at 1000:0000 with its 64 KiB loaded, and ends by Bochs' shutdown port and HLT. Before each probe the
/// tables, the task register and the segments are as they were for the first. A line that an exception makes says: probe, vector, error code, EIP,
/// CS, EFLAGS; ESP and SS, where they were pushed; ES DS FS GS of a virtual-8086 task; then SS, ES, DS, FS, GS, TR in the handler and EAX.
/// </remarks>
internal static class ProbeImage
{
    /// <summary>What LIDT of protected mode loads.</summary>
    public const uint IdtPointer = ProbeLayout.Scratch + 0x98;

    private const uint FlagsShown = 0x3F_7700;
    private const uint Index = ProbeLayout.Scratch + 0x80;
    private const string Shutdown = "Shutdown";
    private const uint Next = ProbeLayout.Image + 0x300;
    private const uint Common = ProbeLayout.Image + 0x900;
    private const uint PutCharacter = ProbeLayout.Image + 0xF00;
    private const uint PutHexadecimal = ProbeLayout.Image + 0xF40;

    /// <summary>The image.</summary>
    public static byte[] Create(IReadOnlyList<Probe> probes)
    {
        var image = new byte[ProbeLayout.ImageBytes];
        if (ProbeLayout.Probes + (probes.Count * ProbeLayout.ProbeBytes) > ProbeLayout.Image + ProbeLayout.ImageBytes)
            throw new InvalidOperationException("Too many probes.");
        Put(image, ProbeLayout.Image, 0x200, 16, WriteStart, ProbeLayout.Image);
        Put(image, ProbeLayout.Done, 0x100, 32, WriteDone);
        Put(image, Next, 0x100, 32, c => WriteNext(c, probes.Count));
        for (uint vector = 0; vector < ProbeLayout.Vectors; vector++)
        {
            uint number = vector;
            Put(image, ProbeLayout.Stubs + (vector * 16), 16, 32, c => WriteStub(c, number));
        }

        Put(image, Common, 0x600, 32, WriteCommon);
        Put(image, PutCharacter, 0x40, 32, WritePutCharacter);
        Put(image, PutHexadecimal, 0x40, 32, WritePutHexadecimal);
        ProbeTables.Create().CopyTo(image, (int)(ProbeLayout.Pristine - ProbeLayout.Image));
        for (int i = 0; i < probes.Count; i++)
        {
            uint address = ProbeLayout.Probes + ((uint)i * ProbeLayout.ProbeBytes);
            var writer = new ProbeWriter(address);
            probes[i].Write(writer);
            foreach ((uint at, byte[] bytes) in writer.Assemble())
                bytes.CopyTo(image, (int)(at - ProbeLayout.Image));
        }

        return image;
    }

    private static void Put(byte[] image, uint address, int room, int bits, Action<Assembler> write, uint origin = 0)
    {
        var c = new Assembler(bits);
        write(c);
        using var stream = new MemoryStream();
        c.Assemble(new StreamCodeWriter(stream), address - origin);
        if (stream.Length > room)
            throw new InvalidOperationException($"The code at 0x{address:x} has {stream.Length} bytes.");
        stream.ToArray().CopyTo(image, (int)(address - ProbeLayout.Image));
    }

    private static void WriteStart(Assembler c)
    {
        const int Pointer = 0x1F0;
        c.cli();
        c.mov(ax, (short)(ProbeLayout.Scratch >> 4));
        c.mov(ds, ax);
        c.mov(__dword_ptr[(short)(Index - ProbeLayout.Scratch)], 0);
        c.mov(ax, cs);
        c.mov(ds, ax);
        foreach ((int register, byte value) in new (int, byte)[] { (3, 0x80), (0, 1), (1, 0), (3, 3), (2, 0), (4, 3) })
        {
            c.mov(dx, (short)(0x3F8 + register));
            c.mov(al, value);
            c.@out(dx, al);
        }

        // No device may interrupt a probe that sets IF.
        c.mov(al, 0xFF);
        c.@out(0x21, al);
        c.@out(0xA1, al);

        // The first GDT is the pristine one; each probe has a copy.
        c.mov(__word_ptr[Pointer], ProbeLayout.GdtLimit);
        c.mov(__dword_ptr[Pointer + 2], ProbeLayout.Pristine);
        c.lgdt(__[Pointer]);
        c.mov(eax, cr0);
        c.or(al, 1);
        c.mov(cr0, eax);
        c.db(0x66, 0xEA); // jmp ptr16:32
        c.dd(Next);
        c.dw(ProbeLayout.Code);
    }

    // Everything as it was, then the next probe.
    private static void WriteNext(Assembler c, int count)
    {
        const uint GdtPointer = ProbeLayout.Scratch + 0x90;
        Label last = c.CreateLabel();
        c.mov(eax, ProbeLayout.Data);
        c.mov(ds, eax);
        c.mov(es, eax);
        c.mov(ss, eax);
        c.mov(esp, ProbeLayout.Stack);
        c.push(2);
        c.popfd();
        c.mov(esi, ProbeLayout.Pristine);
        c.mov(edi, ProbeLayout.Tables);
        c.mov(ecx, ProbeLayout.TableBytes / 4);
        c.rep.movsd();
        c.mov(__word_ptr[GdtPointer], ProbeLayout.GdtLimit);
        c.mov(__dword_ptr[GdtPointer + 2], ProbeLayout.Gdt);
        c.lgdt(__[GdtPointer]);
        c.mov(__word_ptr[IdtPointer], (ProbeLayout.Vectors * 8) - 1);
        c.mov(__dword_ptr[IdtPointer + 2], ProbeLayout.Idt);
        c.lidt(__[IdtPointer]);
        c.xor(eax, eax);
        c.mov(fs, eax);
        c.mov(gs, eax);
        c.lldt(ax);
        c.mov(eax, ProbeLayout.Main);
        c.ltr(ax);
        c.clts();
        c.xor(eax, eax);
        c.mov(dr7, eax);
        c.mov(cr4, eax);
        c.mov(eax, 0x11); // PE, ET
        c.mov(cr0, eax);
        c.mov(eax, __dword_ptr[Index]);
        c.cmp(eax, count);
        c.je(last);
        c.inc(__dword_ptr[Index]);
        c.call(PutHexadecimal);
        c.shl(eax, 8);
        c.add(eax, ProbeLayout.Probes);
        c.xor(ebx, ebx);
        c.xor(ecx, ecx);
        c.xor(edx, edx);
        c.xor(esi, esi);
        c.xor(edi, edi);
        c.xor(ebp, ebp);
        c.push(eax);
        c.mov(eax, 0x1234_5678);
        c.ret();
        c.Label(ref last);
        Label wait = c.CreateLabel();
        c.mov(edx, 0x3FD);
        c.Label(ref wait);
        c.@in(al, dx);
        c.test(al, 0x40); // the last character is out
        c.jz(wait);
        c.mov(dx, unchecked((short)0x8900));
        foreach (char letter in Shutdown)
        {
            c.mov(al, (sbyte)letter);
            c.@out(dx, al);
        }

        c.hlt();
    }

    // Came through: as interrupt 33, but with the registers of whatever task this is.
    private static void WriteDone(Assembler c) => c.@int(33);

    private static void WriteStub(Assembler c, uint vector)
    {
        if (vector is not (8 or 10 or 11 or 12 or 13 or 14 or 17))
            c.push(0);
        c.push((int)vector);
        c.jmp(Common);
    }

    private static void WriteCommon(Assembler c)
    {
        const int SavedBytes = 52;
        c.pushad();
        c.push(ds);
        c.push(es);
        c.push(fs);
        c.push(gs);
        c.push(ss);
        c.mov(ebp, esp);
        c.mov(eax, ss);
        c.lar(eax, eax);
        c.test(eax, 1 << 22);
        Label isBig = c.CreateLabel();
        c.jnz(isBig);
        c.movzx(ebp, bp);
        c.Label(ref isBig);
        c.mov(eax, ProbeLayout.Data);
        c.mov(ds, eax);
        c.mov(es, eax);

        // Copied out of the stack, which may be of any kind.
        for (int offset = 0; offset < SavedBytes + 44; offset += 4)
        {
            c.mov(eax, __dword_ptr[ebp + offset]);
            c.mov(__dword_ptr[ProbeLayout.Saved + offset], eax);
        }

        c.mov(eax, ProbeLayout.Data);
        c.mov(ss, eax);
        c.mov(esp, ProbeLayout.Stack - 0x800);
        Show(c, SavedBytes, 0xFF);
        Show(c, SavedBytes + 4, 0xFFFF_FFFF);
        Show(c, SavedBytes + 8, 0xFFFF_FFFF);
        Show(c, SavedBytes + 12, 0xFFFF);
        Show(c, SavedBytes + 16, FlagsShown);
        Label same = c.CreateLabel(), outer = c.CreateLabel(), task = c.CreateLabel();
        c.test(__byte_ptr[ProbeLayout.Saved + SavedBytes + 18], 2);
        c.jnz(task);
        c.test(__byte_ptr[ProbeLayout.Saved + SavedBytes + 12], 3);
        c.jnz(outer);
        c.jmp(same);
        c.Label(ref task);
        Show(c, SavedBytes + 28, 0xFFFF);
        Show(c, SavedBytes + 32, 0xFFFF);
        Show(c, SavedBytes + 36, 0xFFFF);
        Show(c, SavedBytes + 40, 0xFFFF);
        c.Label(ref outer);
        Show(c, SavedBytes + 20, 0xFFFF_FFFF);
        Show(c, SavedBytes + 24, 0xFFFF);
        c.Label(ref same);
        foreach (int segment in new[] { 0, 12, 16, 8, 4 })
            Show(c, segment, 0xFFFF);
        c.xor(eax, eax);
        c.str(ax);
        c.call(PutHexadecimal);
        Show(c, 48, 0xFFFF_FFFF);
        Show(c, 36, 0xFFFF_FFFF);
        c.mov(al, (sbyte)'\n');
        c.call(PutCharacter);
        c.jmp(Next);
    }

    private static void Show(Assembler c, int offset, uint mask)
    {
        c.mov(eax, __dword_ptr[ProbeLayout.Saved + offset]);
        if (mask != uint.MaxValue)
            c.and(eax, (int)mask);
        c.call(PutHexadecimal);
    }

    // AL to the serial port.
    private static void WritePutCharacter(Assembler c)
    {
        Label wait = c.CreateLabel();
        c.push(edx);
        c.push(eax);
        c.mov(edx, 0x3FD);
        c.Label(ref wait);
        c.@in(al, dx);
        c.test(al, 0x20);
        c.jz(wait);
        c.pop(eax);
        c.mov(edx, 0x3F8);
        c.@out(dx, al);
        c.pop(edx);
        c.ret();
    }

    // EAX in hexadecimal, without leading zeros, and a space.
    private static void WritePutHexadecimal(Assembler c)
    {
        Label more = c.CreateLabel(), digit = c.CreateLabel(), letter = c.CreateLabel();
        c.pushad();
        c.mov(ebx, eax);
        c.mov(ecx, 8);
        c.Label(ref more);
        c.rol(ebx, 4);
        c.cmp(ecx, 1);
        c.je(digit);
        c.test(bl, 0x0F);
        c.jnz(digit);
        c.loop(more);
        c.Label(ref digit);
        c.mov(al, bl);
        c.and(al, 0x0F);
        c.cmp(al, 10);
        c.jb(letter);
        c.add(al, 'a' - '0' - 10);
        c.Label(ref letter);
        c.add(al, (sbyte)'0');
        c.call(PutCharacter);
        c.rol(ebx, 4);
        c.loop(digit);
        c.mov(al, (sbyte)' ');
        c.call(PutCharacter);
        c.popad();
        c.ret();
    }

    /// <summary>Puts the names of the probes before their lines.</summary>
    public static string[] Annotate(string output, IReadOnlyList<Probe> probes) =>
        [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => $"{Name(line, probes)}: {line}")];

    private static string Name(string line, IReadOnlyList<Probe> probes) =>
        int.TryParse(line.Split(' ')[0], NumberStyles.HexNumber, null, out int index) && index < probes.Count ? probes[index].Name : "no probe";
}
