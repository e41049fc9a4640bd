using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>The modelled TLBs of one virtual CPU, looked up on every access: the judge of hits and misses.</summary>
/// <remarks>
/// A miss in both levels fills both. A hit in the second level fills the first with the entry found,
/// which may be a fragment of its page. A hit in the first level does not touch the second,
/// and what the first level evicts goes nowhere.
/// </remarks>
public sealed class ReferenceTlb(MmuConfiguration configuration)
{
    private readonly List<ReferenceTlbArray> _instruction = Build(configuration.L1Instruction);
    private readonly List<ReferenceTlbArray> _data = Build(configuration.L1Data);
    private readonly List<ReferenceTlbArray> _second = Build(configuration.L2);

    /// <summary>One access to a page that every right allows and that was written before.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="kind">Fetches have a first level of their own.</param>
    /// <param name="pcid">The current PCID.</param>
    /// <param name="page">The page size that a walk would find.</param>
    /// <param name="isGlobal">Whether a walk would find a global page.</param>
    public TlbAnswer Access(LinearAddress address, AccessKind kind, ushort pcid, PageSize page, bool isGlobal)
    {
        List<ReferenceTlbArray> first = kind == AccessKind.Fetch ? _instruction : _data;
        if (LookUp(first, address, pcid) is not null)
            return TlbAnswer.FirstLevel;
        if (LookUp(_second, address, pcid) is { } found)
        {
            Fill(first, address, found, found.Size);
            return TlbAnswer.SecondLevel;
        }

        var walked = new ReferenceTlbEntry(address.Value >> page.Shift(), page, page, pcid, isGlobal);
        Fill(_second, address, walked, page);
        Fill(first, address, walked, page);
        return TlbAnswer.Miss;
    }

    /// <summary>Removes entries from all levels.</summary>
    public void Remove(Predicate<ReferenceTlbEntry> isNamed)
    {
        foreach (ReferenceTlbArray array in _instruction.Concat(_data).Concat(_second))
            array.Remove(isNamed);
    }

    private static ReferenceTlbEntry? LookUp(List<ReferenceTlbArray> level, LinearAddress address, ushort pcid)
    {
        foreach (ReferenceTlbArray array in level)
        {
            if (array.LookUp(address, pcid) is { } entry)
                return entry;
        }

        return null;
    }

    // The translation itself where an array holds its size, else a fragment of the largest size held below it.
    private static void Fill(List<ReferenceTlbArray> level, LinearAddress address, ReferenceTlbEntry translation, PageSize largest)
    {
        for (int size = (int)largest; size >= 0; size--)
        {
            PageSize held = (PageSize)size;
            if (level.Find(array => array.Sizes.Contains(held)) is not { } holder)
                continue;
            holder.Fill(translation with { PageNumber = address.Value >> held.Shift(), Size = held });
            return;
        }
    }

    private static List<ReferenceTlbArray> Build(TlbLevelConfiguration level) => [.. level.Arrays.Select(array => new ReferenceTlbArray(array))];
}
