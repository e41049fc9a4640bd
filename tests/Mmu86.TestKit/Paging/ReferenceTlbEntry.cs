using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>A cached translation as far as finding it goes.</summary>
/// <param name="PageNumber">The linear address divided by what the entry covers.</param>
/// <param name="Size">The size of the entry, which may be a fragment of its page.</param>
/// <param name="Page">The size of the page that the tables map.</param>
/// <param name="Pcid">The process-context identifier that it was made under.</param>
/// <param name="IsGlobal">Whether it serves every PCID.</param>
public sealed record ReferenceTlbEntry(ulong PageNumber, PageSize Size, PageSize Page, ushort Pcid, bool IsGlobal)
{
    /// <summary>How many pages of its size the entry stands for.</summary>
    public int Pages { get; init; } = 1;

    /// <summary>What the entry covers, as a power of two.</summary>
    public int Shift => Size.Shift() + int.Log2(Pages);

    /// <summary>Whether the entry translates an address under a PCID.</summary>
    public bool Serves(LinearAddress address, ushort pcid) => Covers(address) && (IsGlobal || Pcid == pcid);

    /// <summary>Whether all of the entry lies in another.</summary>
    public bool IsWithin(ReferenceTlbEntry other) => Shift <= other.Shift && PageNumber >> (other.Shift - Shift) == other.PageNumber;

    /// <summary>Whether the page that the entry is of, not only the entry, holds an address. Each page of a group is one that it is of.</summary>
    public bool IsOfPage(LinearAddress address) =>
        Covers(address) || address.Value >> Page.Shift() == (PageNumber << Shift) >> Page.Shift();

    private bool Covers(LinearAddress address) => address.Value >> Shift == PageNumber;
}
