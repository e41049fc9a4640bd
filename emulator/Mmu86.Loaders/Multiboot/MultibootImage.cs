using Mmu86.X86;

namespace Mmu86.Loaders.Multiboot;

/// <summary>A multiboot 1 kernel at its first instruction: 32-bit protected mode, flat segments, paging and interrupts off.</summary>
/// <remarks>EAX holds <see cref="BootMagic"/>, EBX the information. There is no GDT and no IDT: the kernel loads its own.</remarks>
public sealed record MultibootImage : GuestImage
{
    /// <summary>EAX.</summary>
    public const uint BootMagic = 0x2BAD_B002;

    /// <summary>EBX: the information structure.</summary>
    public required GuestPhysicalAddress Information { get; init; }
}
