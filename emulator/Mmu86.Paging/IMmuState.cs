using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>An MMU whose state can be taken down and put into another one of the same hardware.</summary>
/// <remarks>What the filter holds is derived and no part of it: it is found anew, and no count tells.</remarks>
public interface IMmuState
{
    /// <summary>Writes the sections <c>mmu</c>, <c>tlb</c> and <c>structure-caches</c>: entries, replacement, tags, prefetchers, counts and the context.</summary>
    /// <remarks>A page-modification log is the hypervisor's and no part of it: it is to be given anew.</remarks>
    /// <exception cref="InvalidOperationException">Another further control of nested paging is on, which no machine here uses.</exception>
    void SaveState(StateWriter writer);

    /// <summary>Reads them back. The MMU has translated nothing yet.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="eptp">The EPT pointer of the machine as it is now; 0 for native paging.</param>
    /// <param name="vpid">Its VPID as it is now.</param>
    /// <param name="memoryTypes">The MTRRs, which are the CPU's.</param>
    /// <exception cref="StateFormatException">It is the state of other hardware, or broken. The MMU is to be thrown away.</exception>
    void LoadState(StateReader reader, ulong eptp, ushort vpid, IMemoryTypeRanges? memoryTypes);
}
