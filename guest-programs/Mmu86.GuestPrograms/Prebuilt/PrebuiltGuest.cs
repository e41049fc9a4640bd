using System.Buffers.Binary;

namespace Mmu86.GuestPrograms;

/// <summary>A guest in C: an image built once, whose parameters are written into a block that the program reads.</summary>
/// <remarks>Sources in <c>guest-programs/c</c>, images and hashes in <c>guest-programs/prebuilt</c>.</remarks>
internal abstract class PrebuiltGuest : GuestSource
{
    private const string ParameterBlock = "guest_parameters";
    private const int MemorySizeField = 40;

    public sealed override byte[] Build(GuestArguments arguments)
    {
        byte[] image = ReadImage(arguments.Variant);
        var elf = new Elf64ImageReader(image);
        int block = elf.FileOffset(elf.Symbol(ParameterBlock));
        for (int i = 0; i < Parameters.Count; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(block + (8 * i)), arguments[i]);

        // A ring-0 guest takes the memory behind its last segment, which therefore becomes so much longer: the loader sees what is used.
        if (arguments.Variant == GuestVariant.Bare)
        {
            Elf64ImageReader.Segment last = elf.Segments[^1];
            BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(last.HeaderOffset + MemorySizeField), last.MemorySize + HeapBytes(arguments));
        }

        return image;
    }

    /// <summary>How many bytes of memory the guest takes while it runs, at most.</summary>
    protected abstract ulong HeapBytes(GuestArguments arguments);

    private byte[] ReadImage(GuestVariant variant)
    {
        string resource = Name + (variant == GuestVariant.Bare ? ".bare.elf" : ".elf");
        using Stream stream = typeof(PrebuiltGuest).Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"The image {resource} is not in the assembly.");
        var image = new byte[stream.Length];
        stream.ReadExactly(image);
        return image;
    }
}
