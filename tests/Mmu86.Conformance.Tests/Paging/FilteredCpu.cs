using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Makes accesses as the hot path of the CPU does: asks the filter first, the MMU only where the filter is silent.</summary>
internal sealed unsafe class FilteredCpu(IMmu mmu)
{
    private ulong _dataLookups;
    private ulong _fetchLookups;

    /// <summary>Accesses that the filter answered.</summary>
    public int Filtered { get; private set; }

    /// <summary>Accesses that were counted without a lookup.</summary>
    public int Repeated { get; private set; }

    /// <summary>Makes one access and tells which level answered.</summary>
    /// <exception cref="InvalidOperationException">The access faulted: the streams of these tests never do.</exception>
    public TlbAnswer Access(LinearAddress address, AccessKind kind, AccessMode mode)
    {
        if (kind == AccessKind.Fetch)
            _fetchLookups++;
        else
            _dataLookups++;
        if (FilterAnswers(address, kind, mode))
        {
            Filtered++;
            return TlbAnswer.FirstLevel;
        }

        MmuStatistics before = mmu.Statistics;
        if (!mmu.TryTranslate(address, kind, mode, out _))
            throw new InvalidOperationException($"{kind} {address} faulted.");
        MmuStatistics after = mmu.Statistics;
        if (kind == AccessKind.Fetch)
        {
            mmu.EnterCodePage(address, _fetchLookups);
            mmu.OfferFetch(new LinearAddress(address.Value & ~0xFFFUL), mode, 1);
        }

        TlbStatistics first = kind == AccessKind.Fetch ? after.L1Instruction : after.L1Data;
        TlbStatistics firstBefore = kind == AccessKind.Fetch ? before.L1Instruction : before.L1Data;
        if (first.Hits != firstBefore.Hits)
            return TlbAnswer.FirstLevel;
        return after.L2.Hits != before.L2.Hits ? TlbAnswer.SecondLevel : TlbAnswer.Miss;
    }

    /// <summary>Whether a data access just made may be made again without a lookup.</summary>
    public bool MayRepeat(LinearAddress address, AccessKind kind, AccessMode mode) => mmu.TryRepeat(address, kind, mode, out _);

    /// <summary>Makes the data access just made again and again, as string instructions do: unmade lookups are only counted.</summary>
    /// <param name="address">Any address in the page of the access just made.</param>
    /// <param name="kind">Read or write.</param>
    /// <param name="mode">On whose behalf.</param>
    /// <param name="times">How often.</param>
    /// <returns>Whether the MMU let the lookups go unmade.</returns>
    public bool Repeat(LinearAddress address, AccessKind kind, AccessMode mode, int times)
    {
        if (!MayRepeat(address, kind, mode))
            return false;
        mmu.CountRepeated(address, (ulong)times);
        _dataLookups += (ulong)times;
        Repeated += times;
        return true;
    }

    /// <summary>Gives the MMU the moment between two instructions in which it may choose what the filter serves.</summary>
    public void Attribute() => mmu.Attribute(_dataLookups);

    /// <summary>Everything counted so far.</summary>
    public MmuStatistics Count() => mmu.Snapshot(_dataLookups, _fetchLookups);

    private bool FilterAnswers(LinearAddress address, AccessKind kind, AccessMode mode)
    {
        if (mode == AccessMode.Implicit)
            return false;
        FilterSlot* table = kind == AccessKind.Fetch ? mmu.Filter.FetchTable(mode) : mmu.Filter.DataTable(mode);
        if (kind == AccessKind.Write)
            table += mmu.Filter.Slots;
        return TranslationFilter.Slot(table, address.Value, mmu.Filter.OffsetMask)->Tag == FilterSlot.TagOf(address.Value);
    }
}
