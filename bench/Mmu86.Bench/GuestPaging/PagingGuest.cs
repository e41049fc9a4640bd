using Mmu86.GuestPrograms;

namespace Mmu86.Bench.GuestPaging;

/// <summary>A ring-0 guest in files: an ELF64 image for Mmu86, and a boot disk that holds the same image for QEMU.</summary>
internal sealed record PagingGuest
{
    private const ulong Mebibyte = 1 << 20;

    /// <summary>A bundled guest.</summary>
    public required string Program { get; init; }

    /// <summary>Its parameters.</summary>
    public required string[] Arguments { get; init; }

    /// <summary>The machine's memory.</summary>
    public required int MemoryMebibytes { get; init; }

    /// <summary>The ELF64 image.</summary>
    public required string ElfPath { get; init; }

    /// <summary>The boot disk.</summary>
    public required string BootPath { get; init; }

    /// <summary>What the guest prints.</summary>
    public required string ExpectedOutput { get; init; }

    /// <summary>Writes a guest's files.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="memoryMebibytes">The machine's memory.</param>
    /// <param name="words">The guest's name and its parameters.</param>
    public static PagingGuest Write(string folder, int memoryMebibytes, string words)
    {
        string[] parts = words.Split(' ');
        string name = parts[0].StartsWith("memory-kernel", StringComparison.Ordinal) ? parts[0] : parts[0] + GuestCatalogue.BareSuffix;
        GuestProgram program = GuestCatalogue.Find(name)!;
        var options = new GuestBuildOptions { Arguments = parts[1..] };
        byte[] elf = program.Build(options);
        string file = Path.Combine(folder, words.Replace(' ', '-'));
        var guest = new PagingGuest
        {
            Program = parts[0],
            Arguments = parts[1..],
            MemoryMebibytes = memoryMebibytes,
            ElfPath = file + ".elf",
            BootPath = file + ".img",
            ExpectedOutput = program.ExpectedOutput(options),
        };
        File.WriteAllBytes(guest.ElfPath, elf);
        File.WriteAllBytes(guest.BootPath, BootImage.Create(elf, new BootImageOptions { MemoryBytes = (ulong)memoryMebibytes * Mebibyte }));
        return guest;
    }
}
