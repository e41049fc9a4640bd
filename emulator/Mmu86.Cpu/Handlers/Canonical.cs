using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>Canonical linear addresses of 48 bits. SDM 1, "Canonical Addressing".</summary>
internal static class Canonical
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(ulong address) => (ulong)((long)address << 16 >> 16) == address;
}
