namespace Mmu86.Loaders;

/// <summary>What a program may do with a range of its memory. The values are those of p_flags in an ELF program header.</summary>
[Flags]
public enum PageRights : byte
{
    /// <summary>Nothing: the range is taken, and every access to it faults.</summary>
    None = 0,

    /// <summary>Instructions may be fetched. Paging cannot refuse reads of such a page.</summary>
    Execute = 1,

    /// <summary>Stores. Paging cannot refuse reads of such a page.</summary>
    Write = 2,

    /// <summary>Loads.</summary>
    Read = 4,
}
