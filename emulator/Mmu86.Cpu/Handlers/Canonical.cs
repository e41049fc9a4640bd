using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>Canonical linear addresses. SDM 1, "Canonical Addressing".</summary>
internal static class Canonical
{
    /// <summary>Whether an address is canonical with 48 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(ulong address) => (ulong)((long)address << 16 >> 16) == address;

    /// <summary>Whether an address is canonical with that many bits.</summary>
    public static bool Is(ulong address, int bits) => (ulong)((long)address << (64 - bits) >> (64 - bits)) == address;
}
