using System.Buffers.Binary;

namespace Mmu86.Loaders.Multiboot;

/// <summary>The header by which a multiboot 1 image is known. Multiboot Specification 0.6.96, "OS image format".</summary>
internal readonly record struct MultibootHeader
{
    /// <summary>The header lies in the first so many bytes of the file, on a multiple of 4.</summary>
    private const int SearchBytes = 8192;

    private const uint Magic = 0x1BAD_B002;
    private const int RequiredBytes = 12;
    private const int AddressBytes = 32;
    private const uint HasAddresses = 1 << 16;

    // Bits 0 to 15 are requirements: page-aligned modules, memory information, video mode. The last is answered by no video information.
    private const uint KnownRequirements = 0b111;
    private const uint Requirements = 0xFFFF;

    /// <summary>Where in the file the header is.</summary>
    public required int Offset { get; init; }

    /// <summary>What the image asks for.</summary>
    public required uint Flags { get; init; }

    /// <summary>Whether the address fields say how the file is loaded, whatever else it is.</summary>
    public bool SaysAddresses => (Flags & HasAddresses) != 0;

    /// <summary>header_addr: where the header itself goes.</summary>
    public uint HeaderAddress { get; private init; }

    /// <summary>load_addr: where the text begins.</summary>
    public uint LoadAddress { get; private init; }

    /// <summary>load_end_addr: where the data ends; 0 for the end of the file.</summary>
    public uint LoadEndAddress { get; private init; }

    /// <summary>bss_end_addr: where what is cleared behind the data ends; 0 for nothing.</summary>
    public uint BssEndAddress { get; private init; }

    /// <summary>entry_addr.</summary>
    public uint EntryAddress { get; private init; }

    /// <summary>Finds the header.</summary>
    /// <returns>False where there is none.</returns>
    public static bool TryFind(ReadOnlySpan<byte> file, out MultibootHeader header)
    {
        int last = Math.Min(file.Length, SearchBytes) - RequiredBytes;
        for (int offset = 0; offset <= last; offset += sizeof(uint))
        {
            uint flags = Word(file, offset + 4);
            if (Word(file, offset) != Magic || unchecked(Magic + flags + Word(file, offset + 8)) != 0)
                continue;
            header = new MultibootHeader { Offset = offset, Flags = flags };
            return true;
        }

        header = default;
        return false;
    }

    /// <summary>Finds the header and checks what it asks for.</summary>
    /// <exception cref="ImageFormatException">There is none, or it asks for what is not there, or its address fields do not fit the file.</exception>
    public static MultibootHeader Parse(ReadOnlySpan<byte> file)
    {
        if (!TryFind(file, out MultibootHeader header))
            throw new ImageFormatException($"There is no multiboot header (magic 0x{Magic:x}) in the first {SearchBytes} bytes.");
        uint unknown = header.Flags & Requirements & ~KnownRequirements;
        if (unknown != 0)
            throw new ImageFormatException($"flags 0x{header.Flags:x} of the multiboot header require bits 0x{unknown:x}, which multiboot 1 does not define.");
        if (!header.SaysAddresses)
            return header;
        if (file.Length - header.Offset < AddressBytes)
            throw new ImageFormatException($"The file ends inside the address fields of the multiboot header at offset 0x{header.Offset:x}.");
        return header with
        {
            HeaderAddress = Word(file, header.Offset + 12),
            LoadAddress = Word(file, header.Offset + 16),
            LoadEndAddress = Word(file, header.Offset + 20),
            BssEndAddress = Word(file, header.Offset + 24),
            EntryAddress = Word(file, header.Offset + 28),
        };
    }

    private static uint Word(ReadOnlySpan<byte> file, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(file[offset..]);
}
