using System.IO.Hashing;

namespace Mmu86.Hypervisor.Swap;

/// <summary>The checksum that a page must have when it comes back: XXH3 with 64 bits, by slot, generation and owner.</summary>
/// <remarks>
/// It is kept in memory, never on the device, so whatever an earlier owner of the slot left there does not pass. The seed keeps a page made to
/// collide in one slot from colliding in another. It finds accidents; it is no seal against who can write to the file.
/// </remarks>
internal static class PageChecksum
{
    /// <summary>The checksum of a page in a slot.</summary>
    public static ulong Of(ReadOnlySpan<byte> page, uint slot, uint generation, int owner) =>
        XxHash3.HashToUInt64(page, unchecked((long)(((((ulong)generation << 32) | slot) * 0x9E37_79B9_7F4A_7C15) ^ (uint)owner)));
}
