using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>What must hold between the counters of any run.</summary>
internal static class StatisticsRules
{
    public static void Hold(MmuStatistics statistics)
    {
        foreach (TlbStatistics tlb in new[] { statistics.L1Instruction, statistics.L1Data, statistics.L2 }.Concat(statistics.Structures))
        {
            Assert.Equal(tlb.Lookups, tlb.Hits + tlb.Misses);
            Assert.True(tlb.Evictions + tlb.Invalidations <= tlb.Fills, $"{tlb.Name}: more left than came");
            for (PageSize size = PageSize.Size4K; size <= PageSize.Size1G; size++)
                Assert.True(tlb[size].Evictions + tlb[size].Invalidations <= tlb[size].Fills, $"{tlb.Name} {size}: more left than came");
        }

        WalkStatistics walks = statistics.Walks;
        Assert.Equal(statistics.L2.Lookups, statistics.L1Instruction.Misses + statistics.L1Data.Misses);
        Assert.Equal(statistics.L2.Misses, walks.Miss + walks.Faulted);
        Assert.Equal(walks.Faulted, statistics.Faults.PageFaults + statistics.Faults.EptViolations + statistics.Faults.EptMisconfigurations);
        Assert.Equal(walks.Faulted, statistics.L1Instruction.Unresolved + statistics.L1Data.Unresolved);
        Assert.Equal(walks.Faulted, statistics.L2.Unresolved);
    }
}
