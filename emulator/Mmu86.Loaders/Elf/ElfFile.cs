using System.Text;
using Mmu86.X86;

namespace Mmu86.Loaders.Elf;

/// <summary>A 64-bit x86-64 ELF executable whose headers were checked. System V ABI, "Object Files" and "Program Loading".</summary>
/// <remarks>
/// Every number of the file is checked before it is used, and nothing is allocated by a number of the file. What is not needed to run
/// is not a reason to refuse: a broken section or symbol table gives an empty <see cref="Symbols"/>.
/// </remarks>
public sealed class ElfFile
{
    private readonly ReadOnlyMemory<byte> _file;
    private SymbolTable? _symbols;

    private ElfFile(ReadOnlyMemory<byte> file, ElfHeader header, IReadOnlyList<ElfSegment> segments)
    {
        _file = file;
        Header = header;
        Segments = segments;
    }

    /// <summary>e_type.</summary>
    public ElfType Type => (ElfType)Header.Type;

    /// <summary>EI_OSABI; 255 is a standalone image, made for ring 0.</summary>
    public byte OsAbi => Header.OsAbi;

    /// <summary>Whether EI_OSABI says that the image runs without an operating system.</summary>
    public bool IsStandalone => OsAbi == ElfHeader.OsAbiStandalone;

    /// <summary>e_entry, not yet moved by a base. Lies in an executable segment, by p_vaddr or by p_paddr.</summary>
    public LinearAddress Entry => new(Header.Entry);

    /// <summary>The PT_LOAD segments with a size, ascending by p_vaddr, none of which overlap; at least one.</summary>
    public IReadOnlyList<ElfSegment> Segments { get; }

    /// <summary>e_phnum.</summary>
    public int ProgramHeaderCount => Header.ProgramHeaderCount;

    /// <summary>Where the program headers are after loading (AT_PHDR), not yet moved by a base; null where no segment brings them along.</summary>
    public LinearAddress? ProgramHeaders { get; private init; }

    /// <summary>Whether PT_GNU_STACK asks for a stack whose bytes may be executed.</summary>
    public bool StackIsExecutable { get; private init; }

    /// <summary>The path in PT_INTERP: the dynamic linker that the executable needs; null for a static one.</summary>
    public string? Interpreter { get; private init; }

    /// <summary>The symbols of SHT_SYMTAB at the addresses of the file; empty where there is none or it is broken. Read when first asked for.</summary>
    public SymbolTable Symbols => _symbols ??= SymbolTable.Read(_file, Header);

    internal ElfHeader Header { get; }

    /// <summary>Reads and checks the headers.</summary>
    /// <param name="file">The whole file; kept, and not to be changed.</param>
    /// <exception cref="ImageFormatException">The headers are not those of an executable that can be placed.</exception>
    public static ElfFile Parse(ReadOnlyMemory<byte> file)
    {
        ElfHeader header = ElfHeader.Parse(file.Span);
        var segments = new List<ElfSegment>();
        ElfProgramHeader? interpreter = null;
        ElfProgramHeader? table = null;
        bool executableStack = false;
        for (int index = 0; index < header.ProgramHeaderCount; index++)
        {
            ElfProgramHeader entry = ElfProgramHeader.Read(file.Span, header, index);
            switch (entry.Type)
            {
                case ElfProgramHeader.Load:
                    entry.Check((ulong)file.Length);
                    if (entry.MemorySize != 0)
                        segments.Add(entry.ToSegment(file));
                    break;
                case ElfProgramHeader.Interpreter:
                    interpreter = entry;
                    break;
                case ElfProgramHeader.ProgramHeaders:
                    table = entry;
                    break;
                case ElfProgramHeader.GnuStack:
                    executableStack = (entry.Flags & (uint)PageRights.Execute) != 0;
                    break;
            }
        }

        CheckSegments(segments, header);
        return new ElfFile(file, header, segments)
        {
            Interpreter = interpreter is { } path ? ReadPath(file.Span, path) : null,
            ProgramHeaders = FindProgramHeaders(segments, header, table),
            StackIsExecutable = executableStack,
        };
    }

    private static void CheckSegments(List<ElfSegment> segments, ElfHeader header)
    {
        if (segments.Count == 0)
            throw new ImageFormatException("The program headers have no PT_LOAD segment with a size: there is nothing to load.");

        segments.Sort((left, right) => (left.Linear.Value, left.Index).CompareTo((right.Linear.Value, right.Index)));
        for (int i = 1; i < segments.Count; i++)
        {
            ElfSegment below = segments[i - 1];
            if (below.Linear.Value + below.MemorySize > segments[i].Linear.Value)
            {
                throw new ImageFormatException(
                    $"Segments {below.Index} and {segments[i].Index} overlap at {segments[i].Linear} (p_vaddr).");
            }
        }

        foreach (ElfSegment segment in segments)
        {
            bool inside = segment.ContainsLinear(header.Entry) || segment.ContainsPhysical(header.Entry);
            if (inside && (segment.Rights & PageRights.Execute) != 0)
                return;
        }

        throw new ImageFormatException($"e_entry 0x{header.Entry:x} lies outside the executable segments.");
    }

    private static LinearAddress? FindProgramHeaders(List<ElfSegment> segments, ElfHeader header, ElfProgramHeader? table)
    {
        ulong length = (ulong)header.ProgramHeaderCount * ElfHeader.ProgramHeaderBytes;
        foreach (ElfSegment segment in segments)
        {
            // PT_PHDR may lie, so it counts only where a segment really brings those bytes of the file to that address.
            ulong offset = unchecked(header.ProgramHeaderOffset - segment.FileOffset);
            bool carried = header.ProgramHeaderOffset >= segment.FileOffset && offset <= (ulong)segment.Bytes.Length
                && length <= (ulong)segment.Bytes.Length - offset;
            if (!carried)
                continue;
            ulong linear = segment.Linear.Value + offset;
            if (table is null || table.Value.Linear == linear)
                return new LinearAddress(linear);
        }

        return null;
    }

    private static string ReadPath(ReadOnlySpan<byte> file, ElfProgramHeader entry)
    {
        const int LongestPath = 256;
        if (entry.FileOffset >= (ulong)file.Length)
            return "?";
        ReadOnlySpan<byte> text = file[(int)entry.FileOffset..];
        text = text[..(int)Math.Min(entry.FileSize, (ulong)Math.Min(text.Length, LongestPath))];
        int end = text.IndexOf((byte)0);
        if (end >= 0)
            text = text[..end];
        bool printable = text.Length != 0 && text.IndexOfAnyExceptInRange((byte)' ', (byte)'~') < 0;
        return printable ? Encoding.ASCII.GetString(text) : "?";
    }
}
