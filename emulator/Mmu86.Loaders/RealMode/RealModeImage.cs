using Mmu86.X86;

namespace Mmu86.Loaders.RealMode;

/// <summary>A program that starts in real-address mode: a boot sector, or a ROM in the state after RESET. RIP is the entry less the base of CS.</summary>
public sealed record RealModeImage : GuestImage
{
    /// <summary>CS; its base is sixteen times as much, and FFFF0000H after RESET. The other segments are 0.</summary>
    public required ushort CodeSegment { get; init; }

    /// <summary>DL: the drive that firmware booted from; 0 at reset.</summary>
    public required byte BootDrive { get; init; }

    /// <summary>What lies in the device hole below 4 GiB: a ROM's own place. Empty for a boot sector.</summary>
    public ReadOnlyMemory<byte> Rom { get; init; }
}
