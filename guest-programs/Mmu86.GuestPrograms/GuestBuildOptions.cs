namespace Mmu86.GuestPrograms;

/// <summary>What an image is built for.</summary>
public sealed record GuestBuildOptions
{
    /// <summary>The guest's arguments, in the order of its parameters. Those left out have their defaults. A multiboot kernel takes any.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Ring 3 or ring 0. Without it, the variant that the guest was found as: see <see cref="GuestProgram.DefaultVariant"/>.</summary>
    public GuestVariant? Variant { get; init; }

    /// <summary>The size of the pages that the loader will map the guest with: <c>4k</c>, <c>2m</c> or <c>1g</c>.</summary>
    /// <remarks>Guests that count in pages lay their data out by it.</remarks>
    public string GuestPage { get; init; } = "4k";

    /// <summary>The machine's memory in bytes. What a kernel prints may depend on it, and so does an argument that is a share of it.</summary>
    public ulong MemoryBytes { get; init; } = 1UL << 30;
}
