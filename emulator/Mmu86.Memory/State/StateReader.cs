using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Mmu86.Memory;

/// <summary>Gives back what a <see cref="StateWriter"/> took down, and refuses what cannot be it: every read names its field, and says what it may hold.</summary>
/// <remarks>Whoever was given a state that is refused halfway is in no state at all: it is to be thrown away.</remarks>
public sealed class StateReader
{
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _sections = [];
    private readonly Stack<string> _path = [];
    private ReadOnlyMemory<byte> _left;
    private string _section = "";

    /// <summary>Makes one.</summary>
    /// <param name="sections">The sections, in any order.</param>
    /// <param name="addresses">Where host-physical addresses are now.</param>
    /// <exception cref="StateFormatException">There are two sections of one name.</exception>
    public StateReader(IEnumerable<StateSection> sections, IHostAddressNames addresses)
    {
        Addresses = addresses;
        foreach (StateSection section in sections)
        {
            if (!_sections.TryAdd(section.Name, section.Bytes))
                throw new StateFormatException($"section '{section.Name}' is there twice");
        }
    }

    /// <summary>Where host-physical addresses are now.</summary>
    public IHostAddressNames Addresses { get; set; }

    /// <summary>What the name of every section begins with in the file: of which of several machines it is. Empty for one alone.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Whether there is a section.</summary>
    public bool Has(string section) => _sections.ContainsKey(Prefix + section);

    /// <summary>Begins to read a section.</summary>
    public void Open(string section)
    {
        _section = Prefix + section;
        _path.Clear();
        if (!_sections.TryGetValue(_section, out _left))
            throw new StateFormatException($"section '{_section}' is missing");
    }

    /// <summary>Ends the section, all of which was read.</summary>
    public void Close()
    {
        if (!_left.IsEmpty)
            throw new StateFormatException($"section '{_section}' has {_left.Length} bytes too many");
    }

    /// <summary>Fields read from now on are those of a part.</summary>
    public void Enter(string part) => _path.Push(part);

    /// <summary>The part is over.</summary>
    public void Leave() => _path.Pop();

    /// <summary>Reads a field.</summary>
    public bool ReadBoolean(string field) => ReadByte(field) switch
    {
        0 => false,
        1 => true,
        var other => throw Refuse(field, $"is {other}, not 0 or 1"),
    };

    /// <summary>Reads a field.</summary>
    public byte ReadByte(string field) => Take(field, 1)[0];

    /// <summary>Reads a field.</summary>
    public ushort ReadUInt16(string field) => BinaryPrimitives.ReadUInt16LittleEndian(Take(field, sizeof(ushort)));

    /// <summary>Reads a field.</summary>
    public uint ReadUInt32(string field) => BinaryPrimitives.ReadUInt32LittleEndian(Take(field, sizeof(uint)));

    /// <summary>Reads a field.</summary>
    public ulong ReadUInt64(string field) => BinaryPrimitives.ReadUInt64LittleEndian(Take(field, sizeof(ulong)));

    /// <summary>Reads a field that has bounds.</summary>
    public int ReadInt32(string field, int least, int most)
    {
        int value = BinaryPrimitives.ReadInt32LittleEndian(Take(field, sizeof(int)));
        return value >= least && value <= most ? value : throw Refuse(field, $"is {value}, not from {least} to {most}");
    }

    /// <summary>Reads a field that has bounds.</summary>
    public ulong ReadUInt64(string field, ulong least, ulong most)
    {
        ulong value = ReadUInt64(field);
        return value >= least && value <= most ? value : throw Refuse(field, $"is 0x{value:x}, not from 0x{least:x} to 0x{most:x}");
    }

    /// <summary>Reads a field that may be absent.</summary>
    public ulong? ReadOptional(string field) => ReadBoolean(field) ? ReadUInt64(field) : null;

    /// <summary>Reads a field that may be absent.</summary>
    public byte? ReadOptionalByte(string field) => ReadBoolean(field) ? (byte)ReadUInt64(field, 0, byte.MaxValue) : null;

    /// <summary>Reads a text.</summary>
    /// <param name="field">The field.</param>
    /// <param name="mostBytes">The longest that it may be.</param>
    public string ReadText(string field, int mostBytes) => Encoding.UTF8.GetString(ReadBytes(field, mostBytes));

    /// <summary>Reads bytes.</summary>
    /// <param name="field">The field.</param>
    /// <param name="most">How many there may be.</param>
    public byte[] ReadBytes(string field, int most) => Take(field, ReadInt32(field, 0, Math.Min(most, Math.Max(0, _left.Length - sizeof(int))))).ToArray();

    /// <summary>Reads values, exactly as many as are wanted.</summary>
    public void ReadArray<T>(string field, Span<T> values)
        where T : unmanaged
    {
        ReadInt32(field, values.Length, values.Length);
        Span<byte> bytes = MemoryMarshal.AsBytes(values);
        Take(field, bytes.Length).CopyTo(bytes);
    }

    /// <summary>Reads values, as many as there are.</summary>
    /// <param name="field">The field.</param>
    /// <param name="most">How many there may be.</param>
    public T[] ReadArray<T>(string field, int most)
        where T : unmanaged
    {
        int count = ReadInt32(field, 0, Math.Min(most, Math.Max(0, (_left.Length - sizeof(int)) / System.Runtime.CompilerServices.Unsafe.SizeOf<T>())));
        T[] values = new T[count];
        Span<byte> bytes = MemoryMarshal.AsBytes(values.AsSpan());
        Take(field, bytes.Length).CopyTo(bytes);
        return values;
    }

    /// <summary>A word with the address in the place of the name.</summary>
    public ulong Resolved(string field, ulong value, ulong mask)
    {
        ulong name = value & mask;
        if (!Addresses.TryResolve(name & ~0xFFFUL, out ulong address))
            throw Refuse(field, $"leads to 0x{name:x}, which is not the machine's");
        return (value & ~mask) | ((address | (name & 0xFFF)) & mask);
    }

    /// <summary>An exception that says what is wrong with a field.</summary>
    /// <param name="field">The field, of the part entered last.</param>
    /// <param name="what">What it is and should not be.</param>
    public StateFormatException Refuse(string field, string what)
    {
        string path = string.Join('.', [.. _path.Reverse(), field]);
        return new StateFormatException($"section '{_section}', field '{path}': {what}");
    }

    private ReadOnlySpan<byte> Take(string field, int length)
    {
        if (length > _left.Length)
            throw Refuse(field, "is cut short");
        ReadOnlySpan<byte> bytes = _left.Span[..length];
        _left = _left[length..];
        return bytes;
    }
}
