using Mmu86.Bench.Programs;
using Mmu86.GuestPrograms;

namespace Mmu86.Bench.Peers;

/// <summary>A ring-0 guest in files: an ELF64 image for Mmu86, and a boot disk that holds the same image for everyone else.</summary>
internal sealed record PeerImage
{
    /// <summary>The guest that does nothing: what starting an emulator costs.</summary>
    public const string StartUpName = "hello";

    public required string Name { get; init; }

    /// <summary>The guest's parameters.</summary>
    public required string[] Arguments { get; init; }

    /// <summary>The ELF64 image.</summary>
    public required string ElfPath { get; init; }

    /// <summary>The boot disk.</summary>
    public required string DiskPath { get; init; }

    /// <summary>What the guest prints.</summary>
    public required string ExpectedOutput { get; init; }

    /// <summary>Cylinders of the disk, of 16 heads and 63 sectors.</summary>
    public long Cylinders => new FileInfo(DiskPath).Length / (16 * 63 * 512);

    /// <summary><c>images FOLDER [--guests a,b,c] [--quick]</c>.</summary>
    public static void WriteAll(CommandWords words, TextWriter output)
    {
        bool isQuick = words.TakeFlag("--quick");
        IReadOnlyList<Kernel> kernels = KernelCatalogue.Find(words.TakeValue("--guests"));
        string folder = words.TakeWord("The folder");
        words.End();
        Directory.CreateDirectory(folder);
        foreach (PeerImage image in (IEnumerable<PeerImage>)[StartUp(folder), .. kernels.Select(kernel => Of(kernel, isQuick, folder))])
            output.WriteLine($"{image.ElfPath} {image.DiskPath} {image.Name} {string.Join(' ', image.Arguments)}".TrimEnd());
    }

    /// <summary>Writes the guest that does nothing, for the same machine as the kernels.</summary>
    public static PeerImage StartUp(string folder) => Write(StartUpName, [], folder);

    /// <summary>Writes a kernel.</summary>
    public static PeerImage Of(Kernel kernel, bool isQuick, string folder) =>
        Write(kernel.Name, isQuick ? kernel.QuickArguments : kernel.PeerArguments, folder);

    private static PeerImage Write(string name, string[] arguments, string folder)
    {
        GuestProgram guest = GuestCatalogue.Find(name + GuestCatalogue.BareSuffix)!;
        var options = new GuestBuildOptions { Arguments = arguments };
        byte[] elf = guest.Build(options);
        var image = new PeerImage
        {
            Name = name,
            Arguments = arguments,
            ElfPath = Path.Combine(folder, $"{name}.elf"),
            DiskPath = Path.Combine(folder, $"{name}.img"),
            ExpectedOutput = guest.ExpectedOutput(options),
        };
        File.WriteAllBytes(image.ElfPath, elf);
        File.WriteAllBytes(image.DiskPath, BootImage.Create(elf, new BootImageOptions { MemoryBytes = KernelCatalogue.MemoryBytes }));
        return image;
    }
}
