using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What the walker must know of a format of the guest's tables beyond what EPT has too.</summary>
internal interface IGuestFormat : ITableFormat
{
    /// <summary>The size of the page that an entry of a level maps.</summary>
    static abstract PageSize SizeAt(int level);

    /// <summary>The bits of an address that are the offset in a page: <see cref="PageSizes.OffsetMask"/> with what the format knows of sizes.</summary>
    static abstract ulong OffsetMask(PageSize size);

    /// <summary>The size that structures hold a page in: <see cref="PageSizes.Held"/> likewise.</summary>
    static abstract PageSize Held(PageSize size);

    /// <summary>The first address of the page that an entry maps.</summary>
    static abstract ulong Frame(ulong entry, PageSize size);
}
