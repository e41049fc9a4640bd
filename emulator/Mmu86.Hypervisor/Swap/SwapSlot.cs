namespace Mmu86.Hypervisor.Swap;

/// <summary>Where a swapped page is: what its owner keeps in place of the frame.</summary>
/// <param name="Number">The slot's number on the device: its first byte is at 4096 times that.</param>
/// <param name="Generation">How often the slot had been given out, this time included: a handle that outlives its slot is refused. From 1, so the default value names no slot.</param>
public readonly record struct SwapSlot(uint Number, uint Generation)
{
    /// <summary>Bytes of a slot: a frame of 4 KiB.</summary>
    public const int SizeInBytes = 4096;

    /// <summary>Stands for every page of zeros: such a page takes no slot.</summary>
    public static SwapSlot ZeroPage => new(uint.MaxValue, LastGeneration);

    /// <summary>The generation behind which they begin at 1 again: with the number it fits in the 52 bits that <see cref="IPageStore"/> has for a slot.</summary>
    public const uint LastGeneration = (1u << 20) - 1;

    /// <summary>As one number, below 2^52.</summary>
    public ulong Packed => ((ulong)Generation << 32) | Number;

    /// <summary>What was packed.</summary>
    public static SwapSlot Unpack(ulong packed) => new((uint)packed, (uint)(packed >> 32));

    /// <summary>Whether this is <see cref="ZeroPage"/>.</summary>
    public bool IsZeroPage => this == ZeroPage;

    /// <inheritdoc/>
    public override string ToString() => IsZeroPage ? "zero page" : $"slot {Number} (generation {Generation})";
}
