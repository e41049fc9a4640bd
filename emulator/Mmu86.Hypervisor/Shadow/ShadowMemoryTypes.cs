using System.Diagnostics;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>Memory types of shadow entries. The processor's IA32_PAT is the hypervisor's: each type that memory can have is at an index, and shadow entries say which.</summary>
internal static class ShadowMemoryTypes
{
    /// <summary>The processor's IA32_PAT. Index 0 is write-back, for shadow tables themselves.</summary>
    public const ulong Pat = (ulong)MemoryType.WriteBack
        | ((ulong)MemoryType.WriteThrough << 8)
        | ((ulong)MemoryType.WriteCombining << 16)
        | ((ulong)MemoryType.Uncacheable << 24)
        | ((ulong)MemoryType.WriteProtected << 32);

    /// <summary>PWT, PCD and PAT of an entry that maps a page of an effective type.</summary>
    public static ulong AttributesOf(MemoryType type, PageSize size) => type switch
    {
        MemoryType.WriteBack => 0,
        MemoryType.WriteThrough => PagingEntry.PageWriteThrough,
        MemoryType.WriteCombining => PagingEntry.PageCacheDisable,
        MemoryType.Uncacheable => PagingEntry.PageCacheDisable | PagingEntry.PageWriteThrough,

        // In an entry for 4 KiB the bit of the page size is PAT.
        MemoryType.WriteProtected => size == PageSize.Size4K ? PagingEntry.PageSizeBit : PagingEntry.LargePagePat,
        _ => throw new UnreachableException($"Memory below EPT is not {type}."),
    };
}
