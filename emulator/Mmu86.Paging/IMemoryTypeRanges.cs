using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The memory-type range registers, as address translation sees them. SDM 3, "Memory Type Range Registers (MTRRs)".</summary>
public interface IMemoryTypeRanges
{
    /// <summary>The memory type of a physical address.</summary>
    MemoryType TypeOf(HostPhysicalAddress address);
}
