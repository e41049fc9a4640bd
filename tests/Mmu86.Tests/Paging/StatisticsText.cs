using System.Text;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Tests.Paging;

/// <summary>Every counter as text, so that two states are equal if and only if their texts are.</summary>
internal static class StatisticsText
{
    public static string Of(MmuStatistics statistics)
    {
        var text = new StringBuilder();
        foreach (TlbStatistics tlb in new[] { statistics.L1Instruction, statistics.L1Data, statistics.L2 }.Concat(statistics.Structures))
        {
            text.AppendLine($"{tlb.Name}: {tlb.Lookups} = {tlb.Hits} + {tlb.Misses}, fills {tlb.Fills}, evictions {tlb.Evictions}, invalidations {tlb.Invalidations}, unresolved {tlb.Unresolved}");
            for (PageSize size = PageSize.Size4K; size <= PageSize.Size1G; size++)
                text.AppendLine($"  {size}: {tlb[size]}");
        }

        WalkStatistics walks = statistics.Walks;
        text.AppendLine($"walks {walks.Miss}+{walks.Dirty}+{walks.Rights}, references {walks.GuestReferences}+{walks.EptReferences}, faulted {walks.Faulted} ({walks.FaultedReferences}), flags {walks.FlagUpdates}");
        foreach (StructureCacheStatistics cache in walks.StructureCaches)
            text.AppendLine($"  {cache}");
        text.AppendLine(statistics.Faults.ToString());
        return text.ToString();
    }
}
