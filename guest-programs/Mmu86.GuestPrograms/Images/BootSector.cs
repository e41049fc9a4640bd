using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The first sector of a boot image: real mode to 64-bit mode.</summary>
internal static class BootSector
{
    public const ushort DataSelector = 0x10;
    private const ushort CodeSelector = 0x08;
    private const int Address = 0x7C00;

    // What the code keeps in the end of the sector, by offset: the GDT and its pointer, the disk address packet, two variables.
    private const int Gdt = 0x1A0;
    private const int GdtPointer = 0x1B8;
    private const int Packet = 0x1C0;
    private const int PacketSectors = Packet + 2;
    private const int PacketSegment = Packet + 6;
    private const int PacketFirstSector = Packet + 8;
    private const int Drive = 0x1D0;
    private const int Remaining = 0x1D2;
    private const int Signature = 0x1FE;

    /// <summary>32 KiB, so that no read crosses a multiple of 64 KiB, which some BIOSes cannot do.</summary>
    private const int SectorsPerRead = 64;
    private const byte ParagraphsPerSectorLog2 = 5;

    public static byte[] Assemble(int sectorsToRead)
    {
        var c = new Assembler(16);
        c.cli();
        c.xor(ax, ax);
        c.mov(ds, ax);
        c.mov(es, ax);
        c.mov(ss, ax);
        c.mov(sp, Address);
        c.sti();
        c.mov(__byte_ptr[Address + Drive], dl);
        EmitSerialPort(c);
        EmitRead(c);
        EmitAddressLine20(c);
        EmitLongMode(c);

        var sector = new byte[BootImage.SectorSize];
        var code = new MemoryStream(sector, 0, Gdt);
        c.Assemble(new StreamCodeWriter(code), Address);
        WriteVariables(sector, sectorsToRead);
        return sector;
    }

    /// <summary>115200 baud, 8 bits, no parity. Mmu86's serial port needs no set-up, but Bochs counts the time of every bit.</summary>
    private static void EmitSerialPort(Assembler c)
    {
        foreach ((int register, byte value) in new (int, byte)[] { (3, 0x80), (0, 1), (1, 0), (3, 3), (2, 0), (4, 3) })
        {
            c.mov(dx, (short)(0x3F8 + register));
            c.mov(al, value);
            c.@out(dx, al);
        }
    }

    private static void EmitRead(Assembler c)
    {
        const byte DiskServices = 0x13, ExtendedRead = 0x42;
        Label next = c.CreateLabel(), few = c.CreateLabel(), failed = c.CreateLabel(), done = c.CreateLabel();
        c.Label(ref next);
        c.mov(ax, __word_ptr[Address + Remaining]);
        c.test(ax, ax);
        c.jz(done);
        c.cmp(ax, SectorsPerRead);
        c.jbe(few);
        c.mov(ax, SectorsPerRead);
        c.Label(ref few);
        c.mov(__word_ptr[Address + PacketSectors], ax);
        c.push(ax);
        c.mov(si, Address + Packet);
        c.mov(dl, __byte_ptr[Address + Drive]);
        c.mov(ah, ExtendedRead);
        c.@int(DiskServices);
        c.jc(failed);
        c.pop(ax);
        c.sub(__word_ptr[Address + Remaining], ax);
        c.add(__word_ptr[Address + PacketFirstSector], ax);
        c.shl(ax, ParagraphsPerSectorLog2);
        c.add(__word_ptr[Address + PacketSegment], ax);
        c.jmp(next);
        c.Label(ref failed);
        c.cli();
        c.hlt();
        c.jmp(failed);
        c.Label(ref done);
    }

    private static void EmitAddressLine20(Assembler c)
    {
        const ushort EnableByBios = 0x2401;
        const byte SystemServices = 0x15, ControlPort = 0x92;
        c.mov(ax, EnableByBios);
        c.@int(SystemServices);
        c.@in(al, ControlPort);
        c.or(al, 2);
        c.and(al, unchecked((sbyte)0xFE));
        c.@out(ControlPort, al);
    }

    /// <summary>From real mode straight to 64-bit mode: SDM 3, "Initializing IA-32e Mode", with PE and PG set at once.</summary>
    private static void EmitLongMode(Assembler c)
    {
        // CR0 as Mmu86 starts its bare guests: PE, ET, NE, WP, PG.
        const uint PhysicalAddressExtension = 1 << 5, StartCr0 = 0x8001_0031;
        const uint ExtendedFeatures = 0xC000_0080, LongModeEnable = 1 << 8;
        c.cli();
        c.lgdt(__[Address + GdtPointer]);
        c.mov(eax, cr4);
        c.or(eax, PhysicalAddressExtension);
        c.mov(cr4, eax);
        c.mov(eax, BootImage.FirstTablesAddress);
        c.mov(cr3, eax);
        c.mov(ecx, ExtendedFeatures);
        c.rdmsr();
        c.or(eax, LongModeEnable);
        c.wrmsr();
        c.mov(eax, StartCr0);
        c.mov(cr0, eax);
        c.AddInstruction(Instruction.CreateBranch(Code.Jmp_ptr1616, CodeSelector, BootImage.LoaderAddress));
    }

    private static void WriteVariables(Span<byte> sector, int sectorsToRead)
    {
        const ulong LongCode = 0x00AF_9B00_0000_FFFF, FlatData = 0x00CF_9300_0000_FFFF;
        BinaryPrimitives.WriteUInt64LittleEndian(sector[(Gdt + CodeSelector)..], LongCode);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[(Gdt + DataSelector)..], FlatData);
        BinaryPrimitives.WriteUInt16LittleEndian(sector[GdtPointer..], GdtPointer - Gdt - 1);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[(GdtPointer + 2)..], Address + Gdt);
        sector[Packet] = 16;
        BinaryPrimitives.WriteUInt16LittleEndian(sector[PacketSegment..], (ushort)(BootImage.LoaderAddress >> 4));
        sector[PacketFirstSector] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(sector[Remaining..], checked((ushort)sectorsToRead));
        BinaryPrimitives.WriteUInt16LittleEndian(sector[Signature..], 0xAA55);
    }
}
