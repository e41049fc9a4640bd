using Mmu86.Loaders;
using Mmu86.Loaders.Elf;
using Mmu86.X86;

namespace Mmu86.Lab.Running;

/// <summary>What a program file is, and the world it is to run in.</summary>
internal sealed record GuestKind
{
    /// <summary>The ELF file, unless the program is flat.</summary>
    public ElfFile? Elf { get; private init; }

    /// <summary>The flat image, unless the program is ELF.</summary>
    public FlatImage? Flat { get; private init; }

    /// <summary>What the file is.</summary>
    public required ImageKind Kind { get; init; }

    public required PersonalityKind Personality { get; init; }

    /// <summary>Recognises a program by its bytes, unless the options say what it is.</summary>
    /// <exception cref="ImageFormatException">It is broken, or what was asked for contradicts it.</exception>
    public static GuestKind Recognise(RunOptions options)
    {
        byte[] file = options.Program.Bytes;
        ImageKind kind = options.Format ?? ImageRecognition.Recognise(file);
        if (kind == ImageKind.Elf && Elf32File.Is(file))
            kind = ImageKind.Multiboot;
        if (kind == ImageKind.Elf)
        {
            ElfFile elf = ElfFile.Parse(file);
            PersonalityKind natural = elf.IsStandalone ? PersonalityKind.Bare : PersonalityKind.Linux;
            return new GuestKind { Kind = kind, Elf = elf, Personality = options.Personality ?? natural };
        }

        if (options.Personality == PersonalityKind.Linux)
            throw new ImageFormatException($"A {Name(kind)} has no personality 'linux'; only ELF64 executables run in ring 3.");
        if (kind != ImageKind.Flat)
            return new GuestKind { Kind = kind, Personality = PersonalityKind.Bare };
        GuestPhysicalAddress load = options.LoadAddress is { } address ? new GuestPhysicalAddress(address) : FlatImage.DefaultLoadAddress;
        GuestPhysicalAddress entry = options.Entry is { } start ? new GuestPhysicalAddress(start) : load;
        return new GuestKind { Kind = kind, Flat = new FlatImage(file, load, entry), Personality = PersonalityKind.Bare };
    }
    private static string Name(ImageKind kind) => kind switch
    {
        ImageKind.Multiboot => "multiboot image",
        ImageKind.Rom => "ROM",
        ImageKind.BootSector => "boot sector",
        _ => "flat image",
    };
}
