using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The tag word of every translation structure, so that one 64-bit compare decides a match.</summary>
/// <remarks>
/// <code>
/// 63..16       15..14  13..1  0
/// page number  size    space  valid
/// </code>
/// The page number is the address divided by the page size, 57 bits of address at most. The size that no structure holds (4 MiB)
/// stands for a group of small pages (<see cref="Group"/>), whose size is its lane's affair. The space stands for VPID, EPT root and
/// PCID (or "global") together: see <see cref="AddressSpaces"/>. A zero word is an empty way.
/// </remarks>
internal static class Tag
{
    /// <summary>How many spaces the tag can name.</summary>
    public const int Spaces = 1 << 13;

    /// <summary>How many pairs of size and space there are: the range of <see cref="SizeAndSpace"/>.</summary>
    public const int SizesAndSpaces = 1 << 15;

    /// <summary>Where the page number begins.</summary>
    public const int PageNumberShift = 16;

    /// <summary>The size of a coalesced entry: as many 4 KiB pages as its array says (<see cref="TlbLane.Pages"/>).</summary>
    public const PageSize Group = (PageSize)3;

    private const int UnusedAddressBits = 64 - 57;

    /// <summary>The tag of a page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Make(uint space, PageSize size, ulong pageNumber) => (pageNumber << PageNumberShift) | ((ulong)size << 14) | (space << 1) | 1;

    /// <summary>The page number of an address, without the sign that makes it canonical.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PageNumber(ulong address, PageSize size) => (address << UnusedAddressBits) >> (UnusedAddressBits + size.Shift());

    /// <summary>The number of the unit of 2^<paramref name="shift"/> bytes that an address is in, without the sign that makes it canonical.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PageNumber(ulong address, int shift) => (address << UnusedAddressBits) >> (UnusedAddressBits + shift);

    /// <summary>The page number in a tag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PageNumber(ulong tag) => tag >> 16;

    /// <summary>The page size in a tag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PageSize Size(ulong tag) => (PageSize)((tag >> 14) & 3);

    /// <summary>The space in a tag.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Space(ulong tag) => (uint)(tag >> 1) & (Spaces - 1);

    /// <summary>Size and space as one index.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint SizeAndSpace(ulong tag) => (uint)(tag >> 1) & (SizesAndSpaces - 1);

    /// <summary>The first address of the page: canonical, sign included. Not of a <see cref="Group"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Address(ulong tag) => Address(tag, Size(tag).Shift());

    /// <summary>The first address of the page or group: canonical, sign included.</summary>
    /// <param name="tag">The tag.</param>
    /// <param name="shift">Log2 of its size in bytes (<see cref="TlbLane.Shift"/>).</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Address(ulong tag, int shift) => (ulong)((long)((tag >> PageNumberShift) << (UnusedAddressBits + shift)) >> UnusedAddressBits);
}
