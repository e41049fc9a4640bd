using System.Buffers.Binary;
using System.Text;
using Mmu86.X86;

namespace Mmu86.Loaders.Elf;

/// <summary>Names for addresses of an image, and addresses for names. System V ABI, "Symbol Table".</summary>
/// <remarks>
/// Names stay in the file and are decoded when asked for, so a file cannot make us keep more than it has bytes. A look-up by name
/// reads all of them; it happens once in a command.
/// </remarks>
public sealed class SymbolTable
{
    /// <summary>The table of an image without symbols.</summary>
    public static readonly SymbolTable Empty = new([], default, 0);

    private const int LongestName = 4096;

    private readonly Entry[] _entries; // ascending by address, the best name of one address last
    private readonly ReadOnlyMemory<byte> _names;
    private readonly ulong _base;

    private SymbolTable(Entry[] entries, ReadOnlyMemory<byte> names, ulong @base)
    {
        _entries = entries;
        _names = names;
        _base = @base;
    }

    /// <summary>How many symbols have an address.</summary>
    public int Count => _entries.Length;

    /// <summary>The same symbols for an image that was moved.</summary>
    /// <param name="distance">Bytes that every address moves up.</param>
    public SymbolTable Moved(ulong distance) => new(_entries, _names, unchecked(_base + distance));

    /// <summary>The address of a symbol; where several have the name, of a global one, else of the lowest.</summary>
    /// <returns>False where no symbol has the name.</returns>
    public bool TryFind(string name, out LinearAddress address)
    {
        byte[] wanted = Encoding.UTF8.GetBytes(name);
        address = default;
        bool found = false;
        foreach (Entry entry in _entries)
        {
            if ((found && !entry.IsGlobal) || !NameBytes(entry).SequenceEqual(wanted))
                continue;
            address = new LinearAddress(unchecked(entry.Address + _base));
            found = true;
            if (entry.IsGlobal)
                break;
        }

        return found;
    }

    /// <summary>The symbol that an address belongs to: the nearest below it whose size, where it has one, reaches that far.</summary>
    /// <returns>Null where there is none.</returns>
    public SymbolLocation? Nearest(LinearAddress address)
    {
        ulong wanted = unchecked(address.Value - _base);
        int low = 0;
        int high = _entries.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_entries[middle].Address <= wanted)
                low = middle + 1;
            else
                high = middle;
        }

        if (low == 0)
            return null;
        Entry nearest = _entries[low - 1];
        ulong offset = wanted - nearest.Address;
        if (nearest.Size != 0 && offset >= nearest.Size)
            return null;
        return new SymbolLocation(Encoding.UTF8.GetString(NameBytes(nearest)), offset);
    }

    /// <summary>Reads SHT_SYMTAB; whatever is broken on the way there gives <see cref="Empty"/>.</summary>
    internal static SymbolTable Read(ReadOnlyMemory<byte> file, ElfHeader header)
    {
        if (!ElfSections.TryFindSymbols(file, header, out ReadOnlyMemory<byte> symbols, out ReadOnlyMemory<byte> names))
            return Empty;

        var entries = new List<Entry>();
        ReadOnlySpan<byte> rest = symbols.Span;
        for (; rest.Length >= ElfSections.SymbolBytes; rest = rest[ElfSections.SymbolBytes..])
        {
            var entry = new Entry(
                Address: BinaryPrimitives.ReadUInt64LittleEndian(rest[8..]),
                Size: BinaryPrimitives.ReadUInt64LittleEndian(rest[16..]),
                NameOffset: BinaryPrimitives.ReadUInt32LittleEndian(rest),
                Info: rest[4]);
            if (entry.NamesAnAddress(BinaryPrimitives.ReadUInt16LittleEndian(rest[6..])) && entry.NameOffset < (uint)names.Length)
                entries.Add(entry);
        }

        Entry[] sorted = [.. entries.OrderBy(entry => entry.Address).ThenBy(entry => entry.IsGlobal).ThenBy(entry => entry.Size)];
        return new SymbolTable(sorted, names, 0);
    }

    private ReadOnlySpan<byte> NameBytes(Entry entry)
    {
        ReadOnlySpan<byte> text = _names.Span[(int)entry.NameOffset..];
        int end = text[..Math.Min(text.Length, LongestName)].IndexOf((byte)0);
        return end < 0 ? text[..Math.Min(text.Length, LongestName)] : text[..end];
    }

    private readonly record struct Entry(ulong Address, ulong Size, uint NameOffset, byte Info)
    {
        private const int LargestTypeOfAnAddress = 2; // STT_NOTYPE, STT_OBJECT, STT_FUNC; what follows are sections, files, TLS offsets
        private const ushort UndefinedSection = 0;
        private const ushort FirstReservedSection = 0xFF00;

        public bool IsGlobal => Info >> 4 != 0;

        public bool NamesAnAddress(ushort section) =>
            (Info & 0xF) <= LargestTypeOfAnAddress && section is not UndefinedSection and < FirstReservedSection && NameOffset != 0;
    }
}
