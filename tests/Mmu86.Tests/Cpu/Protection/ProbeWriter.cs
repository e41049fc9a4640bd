using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <summary>Writes one probe: its 32-bit code, and parts at fixed offsets that gates, tasks and frames lead to.</summary>
/// <param name="address">Where the probe begins.</param>
internal sealed class ProbeWriter(uint address)
{
    private readonly List<(uint Address, byte[] Bytes)> _parts = [];

    /// <summary>The probe's own code.</summary>
    public Assembler Code { get; } = new(32);

    /// <summary>Where a part lies.</summary>
    public uint At(uint offset) => address + offset;

    /// <summary>The segment of real-address mode in which the probe begins at offset 0.</summary>
    public ushort Paragraph => (ushort)(address >> 4);

    /// <summary>Adds code at an offset.</summary>
    /// <param name="bits">16 or 32.</param>
    /// <param name="offset">Where, from the probe's beginning.</param>
    /// <param name="write">What.</param>
    public void Part(int bits, uint offset, Action<Assembler> write)
    {
        var c = new Assembler(bits);
        write(c);
        _parts.Add((address + offset, Encode(c, bits == 16 ? offset : address + offset)));
    }

    /// <summary>Adds a part that takes the way to <see cref="ProbeLayout.Done"/> from code of any width.</summary>
    public static void Finish(Assembler c)
    {
        if (c.Bitness == 16)
            c.db(0x66);
        c.db(0xEA);
        c.dd(ProbeLayout.Done);
        c.dw(ProbeLayout.Code);
    }

    /// <summary>Puts a descriptor into the GDT.</summary>
    public void Descriptor(ushort selector, ulong value) => Put(ProbeLayout.Gdt + (selector & 0xFFF8u), value);

    /// <summary>Puts a gate into the IDT.</summary>
    public void Vector(uint vector, ulong gate) => Put(ProbeLayout.Idt + (vector * 8), gate);

    /// <summary>Writes eight bytes.</summary>
    public void Put(uint at, ulong value)
    {
        Put32(at, (uint)value);
        Put32(at + 4, (uint)(value >> 32));
    }

    /// <summary>Writes four bytes.</summary>
    public void Put32(uint at, uint value) => Code.mov(__dword_ptr[at], value);

    /// <summary>Enters level 3 at an offset of the probe.</summary>
    public void EnterUser(uint offset)
    {
        Code.push(ProbeLayout.UserData);
        Code.push((int)ProbeLayout.UserStack);
        Code.push(2);
        Code.push(ProbeLayout.UserCode);
        Code.push((int)At(offset));
        Code.iretd();
    }

    /// <summary>Enters virtual-8086 mode at an offset of the probe.</summary>
    public void EnterVirtual8086(uint offset, uint flags)
    {
        foreach (int value in new[] { 0x6666, 0x5555, 0x4444, 0x3333, 0x2000, 0x8000, (int)(flags | 0x2_0002), Paragraph, (int)offset })
            Code.push(value);
        Code.iretd();
    }

    /// <summary>The probe's parts, in place.</summary>
    public IEnumerable<(uint Address, byte[] Bytes)> Assemble()
    {
        _parts.Insert(0, (address, Encode(Code, address)));
        _parts.Sort((a, b) => a.Address.CompareTo(b.Address));
        for (int i = 0; i < _parts.Count; i++)
        {
            uint end = i + 1 < _parts.Count ? _parts[i + 1].Address : address + ProbeLayout.ProbeBytes;
            if (_parts[i].Address + _parts[i].Bytes.Length > end)
                throw new InvalidOperationException($"A part of the probe at 0x{address:x} is too long.");
        }

        return _parts;
    }

    private static byte[] Encode(Assembler c, uint origin)
    {
        using var stream = new MemoryStream();
        c.Assemble(new StreamCodeWriter(stream), origin);
        return stream.ToArray();
    }
}
