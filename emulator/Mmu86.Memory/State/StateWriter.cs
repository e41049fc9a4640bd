using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Mmu86.Memory;

/// <summary>Takes down the state of a machine, section by section. Each class with state writes its own fields, and reads them back with <see cref="StateReader"/>.</summary>
/// <param name="addresses">What host-physical addresses are called.</param>
public sealed class StateWriter(IHostAddressNames addresses)
{
    private readonly List<StateSection> _sections = [];
    private ArrayBufferWriter<byte>? _section;
    private string _name = "";

    /// <summary>The sections that are complete, in the order in which they were begun.</summary>
    public IReadOnlyList<StateSection> Sections => _sections;

    /// <summary>What host-physical addresses are called.</summary>
    public IHostAddressNames Addresses => addresses;

    /// <summary>What the name of every section begins with in the file: of which of several machines it is. Empty for one alone.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Begins a section. The one before is ended.</summary>
    public void Begin(string name)
    {
        if (_section is not null)
            throw new InvalidOperationException($"Section {_name} has not ended.");
        _name = Prefix + name;
        _section = new ArrayBufferWriter<byte>(256);
    }

    /// <summary>Ends the section.</summary>
    public void End()
    {
        _sections.Add(new StateSection(_name, Section.WrittenMemory));
        _section = null;
    }

    /// <summary>Writes a field.</summary>
    public void Write(bool value) => Write(value ? (byte)1 : (byte)0);

    /// <summary>Writes a field.</summary>
    public void Write(byte value)
    {
        Section.GetSpan(1)[0] = value;
        Section.Advance(1);
    }

    /// <summary>Writes a field.</summary>
    public void Write(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(Section.GetSpan(sizeof(ushort)), value);
        Section.Advance(sizeof(ushort));
    }

    /// <summary>Writes a field.</summary>
    public void Write(int value) => Write((uint)value);

    /// <summary>Writes a field.</summary>
    public void Write(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Section.GetSpan(sizeof(uint)), value);
        Section.Advance(sizeof(uint));
    }

    /// <summary>Writes a field.</summary>
    public void Write(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(Section.GetSpan(sizeof(ulong)), value);
        Section.Advance(sizeof(ulong));
    }

    /// <summary>Writes a field that may be absent.</summary>
    public void Write(ulong? value)
    {
        Write(value.HasValue);
        if (value is { } present)
            Write(present);
    }

    /// <summary>Writes a field that may be absent.</summary>
    public void Write(byte? value) => Write((ulong?)value);

    /// <summary>Writes a text.</summary>
    public void Write(string value) => WriteArray<byte>(Encoding.UTF8.GetBytes(value));

    /// <summary>Writes values and how many they are. A real host has the byte order of the format.</summary>
    public void WriteArray<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        Write(values.Length);
        Section.Write(bytes);
    }

    /// <summary>A word with a host-physical address, with the name in the place of the address.</summary>
    /// <exception cref="InvalidOperationException">The address is not the machine's.</exception>
    public ulong Named(ulong value, ulong mask)
    {
        ulong address = value & mask;
        if (!addresses.TryName(address & ~0xFFFUL, out ulong name))
            throw new InvalidOperationException($"H:0x{address:x} in section {_name} is not the machine's.");
        return (value & ~mask) | ((name | (address & 0xFFF)) & mask);
    }

    private ArrayBufferWriter<byte> Section => _section ?? throw new InvalidOperationException("No section has begun.");
}
