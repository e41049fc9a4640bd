using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>One line in each of many pages, so that caches of any number of sets fill evenly: page i has line (i + i/64 + i/4096) mod the lines of a page.</summary>
/// <remarks>
/// Frames of a guest are contiguous. With line i mod 64 in pages of 4 KiB the upper bits of a line's number repeat with the lower ones,
/// and of 2048 sets 64 would be used; without the last term every other set of 8192. Each 64 pages in a row have each line mod 64 once, so a first level of 64 sets fills evenly too.
/// </remarks>
public static class SpreadLines
{
    private const int LineBytes = 64;
    private const int PagesARow = 64;

    /// <summary>Where the line of a page begins in it, in bytes.</summary>
    /// <param name="page">The page's position in its row, from 0.</param>
    /// <param name="pageBytes">The size of a page, a power of two of at least 4096.</param>
    public static ulong OffsetOf(ulong page, ulong pageBytes) => (page + (page / PagesARow) + (page / (PagesARow * PagesARow))) * LineBytes & (pageBytes - 1);

    /// <summary>Emits what leaves the offset for the page in RAX in RDX. Changes nothing else.</summary>
    internal static void EmitOffset(Assembler c, ulong pageBytes)
    {
        c.mov(rdx, rax);
        c.shr(rdx, (byte)ulong.Log2(PagesARow));
        c.add(rdx, rax);
        // The low half is the page's row of rows for a moment.
        c.ror(rax, (byte)(2 * ulong.Log2(PagesARow)));
        c.add(edx, eax);
        c.rol(rax, (byte)(2 * ulong.Log2(PagesARow)));
        c.and(edx, (int)((pageBytes / LineBytes) - 1));
        c.shl(rdx, (byte)ulong.Log2(LineBytes));
    }
}
