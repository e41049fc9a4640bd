using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Canonical linear addresses. SDM 1, "Canonical Addressing".</summary>
internal static unsafe class Canonical
{
    /// <summary>The width of linear addresses in IA-32e mode: of memory accesses and of RIP, but not of what base registers hold.</summary>
    public static int Width(Cr4 cr4) => (cr4 & Cr4.LinearAddress57) != 0 ? 57 : 48;

    /// <summary>Whether an address is canonical with 48 bits, and so with 57.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(ulong address) => (ulong)((long)address << 16 >> 16) == address;

    /// <summary>Whether an address is canonical with that many bits.</summary>
    public static bool Is(ulong address, int bits) => (ulong)((long)address << (64 - bits) >> (64 - bits)) == address;

    /// <summary>Whether a near transfer may go to an address.</summary>
    /// <remarks>Nearly all code lies where 48 bits are enough, in 5-level paging too: the fast side asks for no more, and leaves to the
    /// slow side what it refuses.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsTarget<TMemory>(CpuState* s, ulong address)
        where TMemory : struct, IHandlerMemory =>
        TMemory.IsSlow ? Is(address, s->LinearAddressBits) : Is(address);
}
