using System.Buffers.Binary;
using System.Text;

namespace Mmu86.GuestPrograms;

/// <summary>Reads back the images of this project. Not a loader for files of unknown origin.</summary>
internal sealed class Elf64ImageReader
{
    private const int ProgramHeaderSize = 56;
    private const int SectionHeaderSize = 64;
    private const int SymbolSize = 24;
    private readonly byte[] _image;

    /// <exception cref="InvalidDataException">The bytes are not an ELF64 file.</exception>
    public Elf64ImageReader(byte[] image)
    {
        ReadOnlySpan<byte> magic = [0x7F, (byte)'E', (byte)'L', (byte)'F', 2];
        if (image.Length < 64 || !image.AsSpan().StartsWith(magic))
            throw new InvalidDataException("The guest's image is not an ELF64 file.");
        _image = image;
    }

    /// <summary>A loadable segment.</summary>
    /// <param name="HeaderOffset">Where in the file its program header is.</param>
    /// <param name="FileOffset">Where in the file its content is.</param>
    /// <param name="Address">Where it is linked.</param>
    /// <param name="FileSize">How many bytes the file holds of it.</param>
    /// <param name="MemorySize">How many bytes it has in memory.</param>
    public readonly record struct Segment(int HeaderOffset, int FileOffset, ulong Address, int FileSize, ulong MemorySize)
    {
        public ulong End => Address + MemorySize;
    }

    public bool IsStandalone => _image[7] == 255;

    public ulong Entry => Word(24);

    /// <summary>The loadable segments in the order of their headers.</summary>
    public IReadOnlyList<Segment> Segments
    {
        get
        {
            const uint Load = 1;
            int table = (int)Word(32);
            return Enumerable.Range(0, Half(56))
                .Select(i => table + (i * ProgramHeaderSize))
                .Where(header => BinaryPrimitives.ReadUInt32LittleEndian(_image.AsSpan(header)) == Load)
                .Select(header => new Segment(header, (int)Word(header + 8), Word(header + 16), (int)Word(header + 32), Word(header + 40)))
                .ToList();
        }
    }

    /// <summary>What the file holds of a segment.</summary>
    public ReadOnlySpan<byte> Content(Segment segment) => _image.AsSpan(segment.FileOffset, segment.FileSize);

    /// <summary>Where in the file the content at a linked address is.</summary>
    /// <exception cref="InvalidDataException">No segment has content there.</exception>
    public int FileOffset(ulong address)
    {
        foreach (Segment segment in Segments)
        {
            if (address - segment.Address < (ulong)segment.FileSize)
                return segment.FileOffset + (int)(address - segment.Address);
        }

        throw new InvalidDataException($"The guest's image has no content at 0x{address:X}.");
    }

    /// <summary>The address that a symbol names.</summary>
    /// <exception cref="InvalidDataException">There is no such symbol.</exception>
    public ulong Symbol(string name)
    {
        const uint SymbolTable = 2;
        int sections = (int)Word(40);
        for (int i = 0; i < Half(60); i++)
        {
            int header = sections + (i * SectionHeaderSize);
            if (BinaryPrimitives.ReadUInt32LittleEndian(_image.AsSpan(header + 4)) != SymbolTable)
                continue;

            int strings = (int)Word(sections + (BinaryPrimitives.ReadInt32LittleEndian(_image.AsSpan(header + 40)) * SectionHeaderSize) + 24);
            int first = (int)Word(header + 24), count = (int)Word(header + 32) / SymbolSize;
            for (int symbol = first; symbol < first + (count * SymbolSize); symbol += SymbolSize)
            {
                if (Text(strings + BinaryPrimitives.ReadInt32LittleEndian(_image.AsSpan(symbol))) == name)
                    return Word(symbol + 8);
            }
        }

        throw new InvalidDataException($"The guest's image has no symbol '{name}'.");
    }

    private ulong Word(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(_image.AsSpan(offset));

    private int Half(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_image.AsSpan(offset));

    private string Text(int offset) => Encoding.ASCII.GetString(_image.AsSpan(offset, _image.AsSpan(offset).IndexOf((byte)0)));
}
