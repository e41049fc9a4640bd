using System.Buffers.Binary;
using System.Text;

namespace Mmu86.GuestPrograms;

/// <summary>Writes a static ELF64 executable for x86-64: a program header for each segment, a section for each, and a symbol table.</summary>
/// <remarks>System V ABI, "Object Files". Nothing in the file depends on anything but the arguments.</remarks>
internal static class Elf64ImageWriter
{
    private const int HeaderSize = 64;
    private const int ProgramHeaderSize = 56;
    private const int SectionHeaderSize = 64;
    private const int SymbolSize = 24;
    private const int ContentAlignment = 4096;
    private const byte OsAbiLinux = 0;
    private const byte OsAbiStandalone = 255;

    private enum SectionKind : uint
    {
        Null = 0,
        Content = 1,
        SymbolTable = 2,
        StringTable = 3,
        Zeros = 8,
    }

    private readonly record struct Section(
        string Name, SectionKind Kind, ulong Flags, ulong Address, int Offset, ulong Size, uint Link, uint Info, ulong Alignment, ulong EntrySize);

    /// <summary>Writes the image.</summary>
    /// <param name="variant">Decides EI_OSABI.</param>
    /// <param name="entry">The address of the first instruction.</param>
    /// <param name="segments">In ascending order of address.</param>
    /// <param name="symbols">In the order in which they shall appear.</param>
    public static byte[] Write(GuestVariant variant, ulong entry, IReadOnlyList<ElfSegment> segments, IReadOnlyList<ElfSymbol> symbols)
    {
        var sections = new List<Section> { default };
        var body = new MemoryStream();
        var offsets = new int[segments.Count];
        body.SetLength(HeaderSize + (ProgramHeaderSize * segments.Count));
        for (int i = 0; i < segments.Count; i++)
        {
            ElfSegment segment = segments[i];
            if (segment.Content.Length > 0)
                offsets[i] = Append(body, segment.Content, ContentAlignment);
            sections.Add(SectionOf(segment, offsets[i]));
        }

        AppendSymbols(body, sections, segments, symbols);
        AppendSectionNames(body, sections, out byte[] nameOffsets);
        int sectionHeaders = Append(body, SectionHeaders(sections, nameOffsets), alignment: 8);

        byte[] image = body.ToArray();
        WriteHeader(image, variant, entry, segments.Count, sectionHeaders, sections.Count);
        for (int i = 0; i < segments.Count; i++)
            WriteProgramHeader(image.AsSpan(HeaderSize + (ProgramHeaderSize * i)), segments[i], offsets[i]);
        return image;
    }

    private static int Append(MemoryStream body, byte[] bytes, int alignment)
    {
        int offset = (int)((body.Length + alignment - 1) & -alignment);
        body.SetLength(offset);
        body.Position = offset;
        body.Write(bytes);
        return offset;
    }

    private static Section SectionOf(ElfSegment segment, int offset)
    {
        const ulong Write = 1, Allocate = 2, Execute = 4;
        ulong flags = Allocate | (segment.Access == ElfSegmentAccess.ReadExecute ? Execute : Write);
        SectionKind kind = segment.Content.Length > 0 ? SectionKind.Content : SectionKind.Zeros;
        return new Section(segment.SectionName, kind, flags, segment.Address, offset, segment.SizeInBytes, 0, 0, segment.Alignment, 0);
    }

    private static void AppendSymbols(
        MemoryStream body, List<Section> sections, IReadOnlyList<ElfSegment> segments, IReadOnlyList<ElfSymbol> symbols)
    {
        var names = new MemoryStream();
        names.WriteByte(0);
        var table = new byte[SymbolSize * (symbols.Count + 1)];
        for (int i = 0; i < symbols.Count; i++)
        {
            ElfSymbol symbol = symbols[i];
            Span<byte> entry = table.AsSpan(SymbolSize * (i + 1));
            const byte Global = 1;
            BinaryPrimitives.WriteUInt32LittleEndian(entry, AddName(names, symbol.Name));
            entry[4] = (byte)((Global << 4) | (byte)symbol.Kind);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[6..], SectionIndex(segments, symbol.Address));
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], symbol.Address);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], symbol.SizeInBytes);
        }

        // Info is the index of the first symbol that is not local: all but the empty one are global.
        uint strings = (uint)sections.Count + 1;
        sections.Add(new Section(".symtab", SectionKind.SymbolTable, 0, 0, Append(body, table, 8), (ulong)table.Length, strings, 1, 8, SymbolSize));
        byte[] text = names.ToArray();
        sections.Add(new Section(".strtab", SectionKind.StringTable, 0, 0, Append(body, text, 1), (ulong)text.Length, 0, 0, 1, 0));
    }

    private static ushort SectionIndex(IReadOnlyList<ElfSegment> segments, ulong address)
    {
        const ushort Absolute = 0xFFF1;
        for (int i = 0; i < segments.Count; i++)
        {
            if (address - segments[i].Address < segments[i].SizeInBytes)
                return (ushort)(i + 1);
        }

        return Absolute;
    }

    private static void AppendSectionNames(MemoryStream body, List<Section> sections, out byte[] nameOffsets)
    {
        const string OwnName = ".shstrtab";
        var names = new MemoryStream();
        names.WriteByte(0);
        var offsets = new List<byte> { 0 };
        foreach (Section section in sections.Skip(1))
            offsets.Add((byte)AddName(names, section.Name));
        offsets.Add((byte)AddName(names, OwnName));
        byte[] text = names.ToArray();
        sections.Add(new Section(OwnName, SectionKind.StringTable, 0, 0, Append(body, text, 1), (ulong)text.Length, 0, 0, 1, 0));
        nameOffsets = [.. offsets];
    }

    private static uint AddName(MemoryStream names, string name)
    {
        uint offset = (uint)names.Position;
        names.Write(Encoding.ASCII.GetBytes(name));
        names.WriteByte(0);
        return offset;
    }

    private static byte[] SectionHeaders(List<Section> sections, byte[] nameOffsets)
    {
        var headers = new byte[SectionHeaderSize * sections.Count];
        for (int i = 1; i < sections.Count; i++)
        {
            Section section = sections[i];
            Span<byte> header = headers.AsSpan(SectionHeaderSize * i);
            BinaryPrimitives.WriteUInt32LittleEndian(header, nameOffsets[i]);
            BinaryPrimitives.WriteUInt32LittleEndian(header[4..], (uint)section.Kind);
            BinaryPrimitives.WriteUInt64LittleEndian(header[8..], section.Flags);
            BinaryPrimitives.WriteUInt64LittleEndian(header[16..], section.Address);
            BinaryPrimitives.WriteUInt64LittleEndian(header[24..], (ulong)section.Offset);
            BinaryPrimitives.WriteUInt64LittleEndian(header[32..], section.Size);
            BinaryPrimitives.WriteUInt32LittleEndian(header[40..], section.Link);
            BinaryPrimitives.WriteUInt32LittleEndian(header[44..], section.Info);
            BinaryPrimitives.WriteUInt64LittleEndian(header[48..], section.Alignment);
            BinaryPrimitives.WriteUInt64LittleEndian(header[56..], section.EntrySize);
        }

        return headers;
    }

    private static void WriteHeader(Span<byte> image, GuestVariant variant, ulong entry, int segments, int sectionHeaders, int sections)
    {
        const byte Class64 = 2, LittleEndian = 1, CurrentVersion = 1;
        const ushort Executable = 2, MachineX8664 = 62;
        byte osAbi = variant == GuestVariant.Bare ? OsAbiStandalone : OsAbiLinux;
        ReadOnlySpan<byte> identification = [0x7F, (byte)'E', (byte)'L', (byte)'F', Class64, LittleEndian, CurrentVersion, osAbi];
        identification.CopyTo(image);
        BinaryPrimitives.WriteUInt16LittleEndian(image[16..], Executable);
        BinaryPrimitives.WriteUInt16LittleEndian(image[18..], MachineX8664);
        BinaryPrimitives.WriteUInt32LittleEndian(image[20..], CurrentVersion);
        BinaryPrimitives.WriteUInt64LittleEndian(image[24..], entry);
        BinaryPrimitives.WriteUInt64LittleEndian(image[32..], HeaderSize);
        BinaryPrimitives.WriteUInt64LittleEndian(image[40..], (ulong)sectionHeaders);
        BinaryPrimitives.WriteUInt16LittleEndian(image[52..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(image[54..], ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(image[56..], (ushort)segments);
        BinaryPrimitives.WriteUInt16LittleEndian(image[58..], SectionHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(image[60..], (ushort)sections);
        BinaryPrimitives.WriteUInt16LittleEndian(image[62..], (ushort)(sections - 1));
    }

    private static void WriteProgramHeader(Span<byte> header, ElfSegment segment, int offset)
    {
        const uint Load = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(header, Load);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], (uint)segment.Access);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], (ulong)offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], segment.Address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], segment.Address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], (ulong)segment.Content.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], segment.SizeInBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], segment.Alignment);
    }
}
