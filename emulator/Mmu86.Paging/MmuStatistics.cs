namespace Mmu86.Paging;

/// <summary>What the slow side of the MMU counted.</summary>
public sealed class MmuStatistics
{
}
