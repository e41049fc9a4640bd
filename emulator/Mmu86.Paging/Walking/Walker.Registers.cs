using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>The load of the PDPTE registers.</content>
internal sealed unsafe partial class Walker
{
    // 32-byte-aligned, in the first 4 GiB.
    private const ulong PdpteTableMask = 0xFFFF_FFE0;

    /// <summary>Reads the four PDPTEs.</summary>
    /// <returns>False where EPT refused: see <see cref="Fault"/>.</returns>
    /// <remarks>With EPT's flags on it is a read all the same. No linear address is told with a violation. SDM 3, "EPT Violations".</remarks>
    public bool TryReadPdptes(ulong cr3, out PdpteRegisters registers)
    {
        registers = default;
        ulong table = cr3 & PdpteTableMask;
        if (_isNested)
        {
            if (!TryTranslateForRead(table, out ulong host))
                return false;
            table = host;
        }

        registers = new PdpteRegisters(
            ReadEntry<EightByteEntries>(table),
            ReadEntry<EightByteEntries>(table + 8),
            ReadEntry<EightByteEntries>(table + 16),
            ReadEntry<EightByteEntries>(table + 24));
        return true;
    }
}
