namespace Mmu86.Cpu;

/// <summary>Segment selectors. SDM 3, "Segment Selectors".</summary>
/// <remarks><code>15..3 index | 2 table (1: LDT) | 1..0 RPL</code></remarks>
internal static class Selectors
{
    private const int LocalTable = 4;

    /// <summary>The requested privilege level.</summary>
    public static int Rpl(ushort selector) => selector & 3;

    /// <summary>Index 0 of the GDT.</summary>
    public static bool IsNull(ushort selector) => (selector & 0xFFFC) == 0;

    /// <summary>Whether the index is of the LDT.</summary>
    public static bool IsLocal(ushort selector) => (selector & LocalTable) != 0;

    /// <summary>The selector as error codes have it: EXT and IDT clear.</summary>
    public static uint ErrorCode(ushort selector) => selector & 0xFFFCu;

    /// <summary>The same selector with another privilege level.</summary>
    public static ushort WithRpl(ushort selector, int rpl) => (ushort)((selector & 0xFFFC) | rpl);
}
