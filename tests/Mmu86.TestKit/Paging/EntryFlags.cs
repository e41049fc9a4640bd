namespace Mmu86.TestKit.Paging;

/// <summary>Accessed and dirty bits of one entry after an access.</summary>
/// <param name="Must">Bits that the manual requires to be set afterwards.</param>
/// <param name="May">Bits that may have become set, the required ones included.</param>
public readonly record struct EntryFlags(ulong Must, ulong May)
{
    /// <summary>Whether an entry that held <paramref name="before"/> may hold <paramref name="after"/> after the access.</summary>
    public bool Allow(ulong before, ulong after) =>
        (after & Must) == Must && (before & ~after) == 0 && (after & ~before & ~May) == 0;
}
