using Mmu86.GuestPrograms;

namespace Mmu86.Bench.Programs;

/// <summary>A bundled guest with the parameters that it is measured with.</summary>
internal sealed record Kernel
{
    /// <summary>The guest's name in the catalogue.</summary>
    public required string Name { get; init; }

    /// <summary>For the modes of Mmu86: 50 to 300 million instructions, and fewer where each takes a hundred nanoseconds.</summary>
    public required string[] Arguments { get; init; }

    /// <summary>For emulators side by side: some more, so that starting an emulator is a small part of it.</summary>
    public required string[] PeerArguments { get; init; }

    /// <summary>For trying out whether everything works: a few million.</summary>
    public required string[] QuickArguments { get; init; }

    /// <summary>The guest.</summary>
    public GuestProgram Guest => GuestCatalogue.Find(Name) ?? throw new UsageException($"There is no guest '{Name}'.");
}
