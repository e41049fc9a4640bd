namespace Mmu86.GuestPrograms;

/// <summary>The machine that a boot image is made for.</summary>
public sealed record BootImageOptions
{
    /// <summary>The machine's memory in bytes, a multiple of 4 MiB, at most 3 GiB. The guest finds it in RDI and its stack at the end of it.</summary>
    public ulong MemoryBytes { get; init; } = 256UL << 20;

    /// <summary>The size of the pages that map memory for the guest: <c>4k</c>, <c>2m</c> or <c>1g</c> (which many emulated CPUs lack).</summary>
    public string GuestPage { get; init; } = "4k";
}
