using Mmu86.X86;

namespace Mmu86.Loaders.Bare;

/// <summary>A bare-metal image at its first instruction: 64-bit ring 0, interrupts off, memory identity-mapped, empty IDT.</summary>
public sealed record BareImage : GuestImage
{
    /// <summary>The base of GDTR. Selector by selector: null, 64-bit code of ring 0, data of ring 0.</summary>
    public required LinearAddress GdtBase { get; init; }

    /// <summary>The limit of GDTR: the offset of the table's last byte.</summary>
    public required ushort GdtLimit { get; init; }

    /// <summary>CS.</summary>
    public required ushort CodeSelector { get; init; }

    /// <summary>SS, DS, ES, FS and GS.</summary>
    public required ushort DataSelector { get; init; }

    /// <summary>RDI: guest memory in bytes, the device hole not counted.</summary>
    public required ulong MemorySizeInBytes { get; init; }
}
