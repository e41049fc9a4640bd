using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>A cached translation as far as finding it goes.</summary>
/// <param name="PageNumber">The linear address divided by the size of the entry.</param>
/// <param name="Size">The size of the entry, which may be a fragment of its page.</param>
/// <param name="Page">The size of the page that the tables map.</param>
/// <param name="Pcid">The process-context identifier that it was made under.</param>
/// <param name="IsGlobal">Whether it serves every PCID.</param>
public sealed record ReferenceTlbEntry(ulong PageNumber, PageSize Size, PageSize Page, ushort Pcid, bool IsGlobal)
{
    /// <summary>Whether the entry translates an address under a PCID.</summary>
    public bool Serves(LinearAddress address, ushort pcid) =>
        address.Value >> Size.Shift() == PageNumber && (IsGlobal || Pcid == pcid);

    /// <summary>Whether all of the entry lies in another.</summary>
    public bool IsWithin(ReferenceTlbEntry other) =>
        Size <= other.Size && PageNumber >> (other.Size.Shift() - Size.Shift()) == other.PageNumber;

    /// <summary>Whether the page that the entry is of, not only the entry, holds an address.</summary>
    public bool IsOfPage(LinearAddress address) =>
        address.Value >> Page.Shift() == PageNumber >> (Page.Shift() - Size.Shift());
}
