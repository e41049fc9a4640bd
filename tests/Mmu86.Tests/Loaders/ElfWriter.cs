using System.Buffers.Binary;
using System.Text;
using Mmu86.Loaders;

namespace Mmu86.Tests.Loaders;

/// <summary>Writes small ELF64 files: headers, segments, and a symbol table where symbols were given.</summary>
internal sealed class ElfWriter
{
    private readonly List<Segment> _segments = [];
    private readonly List<(uint Type, uint Flags, byte[] Bytes)> _extras = [];
    private readonly List<(string Name, ulong Address, ulong Size, byte Info)> _symbols = [];

    public ushort Type { get; set; } = 2;

    public byte OsAbi { get; set; }

    public ulong Entry { get; set; } = 0x40_1000;

    /// <summary>The program that most tests vary: code at 0x401000, data with 0x1800 bytes of zeros after it at 0x403000.</summary>
    public static ElfWriter Typical()
    {
        var writer = new ElfWriter();
        writer.Add(0x40_1000, [0xB8, 60, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05], PageRights.Read | PageRights.Execute);
        writer.Add(0x40_3000, [1, 2, 3, 4, 5, 6, 7, 8], PageRights.Read | PageRights.Write, memorySize: 0x1808);
        return writer;
    }

    public ElfWriter Add(
        ulong linear, byte[] bytes, PageRights rights, ulong? memorySize = null, ulong? physical = null, ulong alignment = 0x1000)
    {
        _segments.Add(new Segment(linear, physical ?? linear, bytes, memorySize ?? (ulong)bytes.Length, rights, alignment));
        return this;
    }

    /// <summary>Adds a program header that is not PT_LOAD, with its own bytes in the file.</summary>
    public ElfWriter AddHeader(uint type, uint flags, byte[] bytes)
    {
        _extras.Add((type, flags, bytes));
        return this;
    }

    public ElfWriter AddSymbol(string name, ulong address, ulong size = 0, byte info = 0x10)
    {
        _symbols.Add((name, address, size, info));
        return this;
    }

    public byte[] Write()
    {
        int headerCount = _segments.Count + _extras.Count;
        var file = new List<byte>(new byte[64 + (headerCount * 56)]);
        var headers = new List<byte[]>();
        foreach ((uint type, uint flags, byte[] bytes) in _extras)
        {
            headers.Add(Header(type, flags, file.Count, 0, 0, bytes.Length, (ulong)bytes.Length, 1));
            file.AddRange(bytes);
        }

        foreach (Segment segment in _segments)
        {
            // p_offset and p_vaddr agree modulo p_align.
            while ((ulong)file.Count % segment.Alignment != segment.Linear % segment.Alignment)
                file.Add(0xEE);
            headers.Add(Header(
                1, (uint)segment.Rights, file.Count, segment.Linear, segment.Physical, segment.Bytes.Length, segment.MemorySize, segment.Alignment));
            file.AddRange(segment.Bytes);
        }

        int sections = AppendSymbols(file);
        byte[] result = [.. file];
        for (int i = 0; i < headers.Count; i++)
            headers[i].CopyTo(result, 64 + (i * 56));
        WriteFileHeader(result, headerCount, sections);
        return result;
    }

    private static byte[] Header(uint type, uint flags, int offset, ulong linear, ulong physical, int fileSize, ulong memorySize, ulong alignment)
    {
        var header = new byte[56];
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), flags);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(16), linear);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(24), physical);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(32), (ulong)fileSize);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(40), memorySize);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(48), alignment);
        return header;
    }

    /// <summary>Appends names, symbols and three section headers: null, SHT_SYMTAB, SHT_STRTAB.</summary>
    /// <returns>The offset of the section headers; 0 without symbols.</returns>
    private int AppendSymbols(List<byte> file)
    {
        if (_symbols.Count == 0)
            return 0;
        var names = new List<byte> { 0 };
        var table = new List<byte>(new byte[24]);
        foreach ((string name, ulong address, ulong size, byte info) in _symbols)
        {
            var symbol = new byte[24];
            BinaryPrimitives.WriteUInt32LittleEndian(symbol, (uint)names.Count);
            symbol[4] = info;
            BinaryPrimitives.WriteUInt16LittleEndian(symbol.AsSpan(6), 1);
            BinaryPrimitives.WriteUInt64LittleEndian(symbol.AsSpan(8), address);
            BinaryPrimitives.WriteUInt64LittleEndian(symbol.AsSpan(16), size);
            table.AddRange(symbol);
            names.AddRange(Encoding.UTF8.GetBytes(name));
            names.Add(0);
        }

        int namesAt = file.Count;
        file.AddRange(names);
        int tableAt = file.Count;
        file.AddRange(table);
        int sectionsAt = file.Count;
        file.AddRange(new byte[64]);
        file.AddRange(Section(2, tableAt, table.Count, link: 2, entryBytes: 24));
        file.AddRange(Section(3, namesAt, names.Count, link: 0, entryBytes: 0));
        return sectionsAt;
    }

    private static byte[] Section(uint type, int offset, int length, uint link, ulong entryBytes)
    {
        var section = new byte[64];
        BinaryPrimitives.WriteUInt32LittleEndian(section.AsSpan(4), type);
        BinaryPrimitives.WriteUInt64LittleEndian(section.AsSpan(24), (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(section.AsSpan(32), (ulong)length);
        BinaryPrimitives.WriteUInt32LittleEndian(section.AsSpan(40), link);
        BinaryPrimitives.WriteUInt64LittleEndian(section.AsSpan(56), entryBytes);
        return section;
    }

    private void WriteFileHeader(Span<byte> file, int headerCount, int sections)
    {
        ReadOnlySpan<byte> ident = [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, OsAbi];
        ident.CopyTo(file);
        BinaryPrimitives.WriteUInt16LittleEndian(file[16..], Type);
        BinaryPrimitives.WriteUInt16LittleEndian(file[18..], 62);
        BinaryPrimitives.WriteUInt32LittleEndian(file[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(file[24..], Entry);
        BinaryPrimitives.WriteUInt64LittleEndian(file[32..], 64);
        BinaryPrimitives.WriteUInt64LittleEndian(file[40..], (ulong)sections);
        BinaryPrimitives.WriteUInt16LittleEndian(file[52..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(file[54..], 56);
        BinaryPrimitives.WriteUInt16LittleEndian(file[56..], (ushort)headerCount);
        BinaryPrimitives.WriteUInt16LittleEndian(file[58..], 64);
        BinaryPrimitives.WriteUInt16LittleEndian(file[60..], (ushort)(sections == 0 ? 0 : 3));
    }

    private sealed record Segment(ulong Linear, ulong Physical, byte[] Bytes, ulong MemorySize, PageRights Rights, ulong Alignment);
}
