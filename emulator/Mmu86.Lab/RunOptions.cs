using Mmu86.Lab.Machines;
using Mmu86.Loaders;
using Mmu86.X86;

namespace Mmu86.Lab;

/// <summary>Everything that decides what a run does. Two runs of equal options give equal results, host time apart.</summary>
public sealed record RunOptions
{
    /// <summary>The fewest bytes of guest-physical memory.</summary>
    public const ulong MinimumMemoryBytes = 1UL << 20;

    /// <summary>The most bytes of guest-physical memory.</summary>
    public const ulong MaximumMemoryBytes = 1UL << 40;

    /// <summary>What to run.</summary>
    public required ProgramImage Program { get; init; }

    /// <summary>The kind of file. Null: recognised from the file.</summary>
    public ImageKind? Format { get; init; }

    /// <summary>Files that a multiboot kernel finds beside itself.</summary>
    public IReadOnlyList<ProgramImage> Modules { get; init; } = [];

    /// <summary>The world it runs in. Null: an ELF64 is <see cref="PersonalityKind.Linux"/> unless EI_OSABI is 255, a flat image is <see cref="PersonalityKind.Bare"/>.</summary>
    public PersonalityKind? Personality { get; init; }

    /// <summary>Where a flat image goes. Null: the loader's default.</summary>
    public ulong? LoadAddress { get; init; }

    /// <summary>Where a flat image starts. Null: at its first byte.</summary>
    public ulong? Entry { get; init; }

    /// <summary>The machine after all overrides.</summary>
    public required MachineDescription Machine { get; init; }

    /// <summary>What lies below the guest's page tables.</summary>
    public required PagingMode Paging { get; init; }

    /// <summary>Page size of the loader's guest tables.</summary>
    public required PageSize GuestPage { get; init; }

    /// <summary>Page size of nested paging.</summary>
    public required PageSize HostPage { get; init; }

    /// <summary>How much is modelled.</summary>
    public required Fidelity Fidelity { get; init; }

    /// <summary>Guest-physical memory in bytes: a multiple of 4096 from <see cref="MinimumMemoryBytes"/> to <see cref="MaximumMemoryBytes"/>.</summary>
    public required ulong MemoryBytes { get; init; }

    /// <summary>Frames of the host in bytes, in the same range. Null: all that was promised to the guest.</summary>
    public ulong? HostMemoryBytes { get; init; }

    /// <summary>The disk of a bare guest in a virtual machine. Null: <see cref="DiskOptions.For"/> its memory.</summary>
    public DiskOptions? Disk { get; init; }

    /// <summary>The disk that such a guest has.</summary>
    public DiskOptions DiskOrDefault => Disk ?? DiskOptions.For(MemoryBytes);

    /// <summary>Where to stop, in retired instructions. Null: never.</summary>
    public ulong? MaxInstructions { get; init; }

    /// <summary>The only source of randomness.</summary>
    public required ulong Seed { get; init; }
}
