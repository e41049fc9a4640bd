namespace Mmu86.GuestPrograms;

/// <summary>The flags of paging-structure entries that the kernels use, by the manual's names. SDM 3, "4-Level Paging and 5-Level Paging".</summary>
internal static class PagingFlags
{
    public const ulong Present = 1 << 0;
    public const ulong ReadWrite = 1 << 1;
    public const ulong UserSupervisor = 1 << 2;
    public const ulong WriteThrough = 1 << 3;
    public const ulong CacheDisable = 1 << 4;
    public const ulong Accessed = 1 << 5;
    public const ulong Dirty = 1 << 6;
    public const ulong PageSize = 1 << 7;
    public const ulong Global = 1 << 8;
    public const int ExecuteDisableBit = 63;

    public const ulong Kernel = Present | ReadWrite;
    public const ulong User = Present | ReadWrite | UserSupervisor;
    public const ulong AccessedAndDirty = Accessed | Dirty;
}
