using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Diagnostics;

/// <summary>The flags of paging entries by the manual's names.</summary>
public static class EntryFlags
{
    private static readonly string[] s_memoryTypes = ["UC", "WC", "type 2", "type 3", "WT", "WP", "WB", "type 7"];

    /// <summary>The flags that are set, such as <c>P R/W U/S A D XD</c>.</summary>
    /// <param name="dimension">Whose entry.</param>
    /// <param name="format">What the nested entries of the machine look like.</param>
    /// <param name="level">5 to 1.</param>
    /// <param name="entry">The entry.</param>
    public static string Of(WalkDimension dimension, NestedFormat format, int level, ulong entry) => string.Join(' ', (dimension, format) switch
    {
        (WalkDimension.Guest, _) => Ordinary(level, entry, "XD"),
        (WalkDimension.Ept, NestedFormat.Npt) => Ordinary(level, entry, "NX"),
        _ => Ept(level, entry),
    });

    /// <summary>Whether an entry is present: whatever it has otherwise means nothing where it is not.</summary>
    public static bool IsPresent(WalkDimension dimension, NestedFormat format, ulong entry) =>
        (entry & (dimension == WalkDimension.Ept && format == NestedFormat.Ept ? EptEntry.Rights : PagingEntry.Present)) != 0;

    /// <summary>Whether an entry maps a page instead of pointing to a table.</summary>
    public static bool MapsPage(int level, ulong entry) => level == 1 || (level < 4 && (entry & PagingEntry.PageSizeBit) != 0);

    // The format of the guest's tables and of AMD's nested ones, whose manual has another name for bit 63.
    private static IEnumerable<string> Ordinary(int level, ulong entry, string bit63)
    {
        bool mapsPage = MapsPage(level, entry);
        yield return (entry & PagingEntry.Present) != 0 ? "P" : "not present";
        if ((entry & PagingEntry.Writable) != 0)
            yield return "R/W";
        if ((entry & PagingEntry.User) != 0)
            yield return "U/S";
        if ((entry & PagingEntry.PageWriteThrough) != 0)
            yield return "PWT";
        if ((entry & PagingEntry.PageCacheDisable) != 0)
            yield return "PCD";
        if ((entry & PagingEntry.Accessed) != 0)
            yield return "A";
        if (mapsPage && (entry & PagingEntry.Dirty) != 0)
            yield return "D";
        if ((entry & PagingEntry.PageSizeBit) != 0)
            yield return level == 1 ? "PAT" : "PS";
        if (mapsPage && (entry & PagingEntry.Global) != 0)
            yield return "G";
        if ((entry & PagingEntry.ExecuteDisable) != 0)
            yield return bit63;
    }

    private static IEnumerable<string> Ept(int level, ulong entry)
    {
        if ((entry & EptEntry.Rights) == 0)
            yield return "not present";
        if ((entry & EptEntry.Read) != 0)
            yield return "R";
        if ((entry & EptEntry.Write) != 0)
            yield return "W";
        if ((entry & EptEntry.Execute) != 0)
            yield return "X";
        if (MapsPage(level, entry))
            yield return s_memoryTypes[(entry & EptEntry.MemoryTypeMask) >> 3];
        if (MapsPage(level, entry) && (entry & EptEntry.IgnorePat) != 0)
            yield return "IPAT";
        if (level > 1 && (entry & EptEntry.PageSizeBit) != 0)
            yield return "PS";
        if ((entry & EptEntry.Accessed) != 0)
            yield return "A";
        if (MapsPage(level, entry) && (entry & EptEntry.Dirty) != 0)
            yield return "D";
    }
}
