using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>The modelled TLBs of one virtual CPU, looked up on every access: the judge of hits and misses.</summary>
/// <remarks>
/// A miss in both levels fills both. A hit in the second level fills the first with the entry found,
/// which may be a fragment of its page. A hit in the first level does not touch the second,
/// and what the first level evicts goes nowhere. Reads and writes see the arrays that serve them.
/// </remarks>
public sealed class ReferenceTlb(MmuConfiguration configuration)
{
    private readonly ReferenceTlbLevel _instruction = new(configuration.L1Instruction);
    private readonly ReferenceTlbLevel _data = new(configuration.L1Data);
    private readonly ReferenceTlbLevel _second = new(configuration.L2);
    private readonly ReferenceTlbLevel? _secondOfFetches = configuration.L2Instruction is { } level ? new ReferenceTlbLevel(level) : null;
    private ushort _pcid;

    /// <summary>One access to a page that every right allows and that was written before.</summary>
    /// <param name="address">The linear address.</param>
    /// <param name="kind">Fetches have a first level of their own.</param>
    /// <param name="pcid">The current PCID.</param>
    /// <param name="page">The page size that a walk would find.</param>
    /// <param name="isGlobal">Whether a walk would find a global page.</param>
    public TlbAnswer Access(LinearAddress address, AccessKind kind, ushort pcid, PageSize page, bool isGlobal)
    {
        ReferenceTlbLevel second = kind == AccessKind.Fetch ? _secondOfFetches ?? _second : _second;
        List<ReferenceTlbArray> first = kind switch
        {
            AccessKind.Fetch => _instruction.Arrays,
            AccessKind.Read => _data.ArraysFor(AccessesServed.Loads),
            _ => _data.ArraysFor(AccessesServed.Stores),
        };
        if (LookUp(first, address, pcid) is not null)
            return TlbAnswer.FirstLevel;
        if (LookUp(second.Arrays, address, pcid) is { } found)
        {
            Fill(first, address, found, found.Size);
            return TlbAnswer.SecondLevel;
        }

        var walked = new ReferenceTlbEntry(address.Value >> page.Shift(), page, page, pcid, isGlobal);
        Fill(second.Arrays, address, walked, page);
        Fill(first, address, walked, page);
        return TlbAnswer.Miss;
    }

    /// <summary>Another PCID runs, or the same again.</summary>
    public void Use(ushort pcid)
    {
        if (pcid != _pcid)
        {
            foreach (ReferenceTlbLevel level in Levels)
                level.Leave(_pcid, pcid);
        }

        _pcid = pcid;
    }

    /// <summary>Removes entries from all levels.</summary>
    public void Remove(Predicate<ReferenceTlbEntry> isNamed)
    {
        foreach (ReferenceTlbArray array in Levels.SelectMany(level => level.Arrays))
            array.Remove(isNamed);
    }

    private IEnumerable<ReferenceTlbLevel> Levels => new[] { _instruction, _data, _second, _secondOfFetches }.OfType<ReferenceTlbLevel>();

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
}
