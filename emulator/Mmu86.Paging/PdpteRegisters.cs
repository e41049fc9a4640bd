using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The four PDPTE registers of PAE paging, by bits 31:30 of the linear address. SDM 3, "PDPTE Registers".</summary>
/// <param name="First">For addresses below 1 GiB.</param>
/// <param name="Second">From 1 GiB on.</param>
/// <param name="Third">From 2 GiB on.</param>
/// <param name="Fourth">From 3 GiB on.</param>
public readonly record struct PdpteRegisters(ulong First, ulong Second, ulong Third, ulong Fourth)
{
    // Bits 2:1, 8:5 and XD, whatever EFER.NXE; the bits from MAXPHYADDR on come from the machine.
    private const ulong AlwaysReserved = 0x1E6 | PagingEntry.ExecuteDisable;

    /// <summary>The register that serves a linear address.</summary>
    public ulong this[ulong linear]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ((linear >> 30) & 3) switch
        {
            0 => First,
            1 => Second,
            2 => Third,
            _ => Fourth,
        };
    }

    /// <summary>Whether the registers may be loaded: an entry with P=1 and a reserved bit is #GP(0), one with P=0 is no error.</summary>
    /// <param name="physicalAddressBits">MAXPHYADDR.</param>
    public bool MayBeLoaded(int physicalAddressBits)
    {
        ulong reserved = AlwaysReserved | (~0UL << physicalAddressBits);
        return IsGood(First, reserved) && IsGood(Second, reserved) && IsGood(Third, reserved) && IsGood(Fourth, reserved);
    }

    private static bool IsGood(ulong entry, ulong reserved) => (entry & PagingEntry.Present) == 0 || (entry & reserved) == 0;
}
