using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Which memory type an access has: the PAT's type of the paging entry combined with an MTRR's or EPT's.</summary>
/// <remarks>
/// SDM 3, "Paging and Memory Typing" and "EPT and Memory Typing"; for AMD's nested paging <see cref="NestedMemoryTypes"/>. The entry's bits are those that a TLB holds, so a type changed in memory acts
/// after an invalidation; the PAT and the MTRRs act at once (docs/decisions/0030). Types change nothing but what is told.
/// </remarks>
internal readonly struct MemoryTyping(in PagingContext context, bool isNpt)
{
    private const ulong TableAttributes = PagingEntry.PageWriteThrough | PagingEntry.PageCacheDisable;

    // The context's copy: a primary constructor's reference cannot be kept.
    private readonly PagingContext _context = context;

    /// <summary>The effective type of two types that are combined: M03 of the MTRR or of EPT with that of the PAT.</summary>
    public static MemoryType Combine(MemoryType pat, MemoryType range) => pat switch
    {
        MemoryType.Uncacheable => MemoryType.Uncacheable,
        MemoryType.WriteCombining => MemoryType.WriteCombining,
        MemoryType.UncacheableMinus => range == MemoryType.WriteCombining ? MemoryType.WriteCombining : MemoryType.Uncacheable,
        MemoryType.WriteBack => range,
        _ when range is MemoryType.Uncacheable or MemoryType.WriteCombining => MemoryType.Uncacheable,
        _ => pat,
    };

    /// <summary>The type of an access by the data word of its TLB entry.</summary>
    /// <param name="data">The word, or the same bits of a walk.</param>
    /// <param name="host">Where the access goes.</param>
    public MemoryType OfAccess(ulong data, HostPhysicalAddress host)
    {
        MemoryType pat = _context.IsPaging ? OfPat(TlbEntry.PatIndex(data)) : MemoryType.WriteBack;
        ulong nested = (data >> TlbEntry.MemoryTypeShift << 3) & (EptEntry.MemoryTypeMask | EptEntry.IgnorePat);
        return Effective(pat, host, _context.IsNested ? nested : null);
    }

    /// <summary>Puts the type of the memory that holds it beside every entry of a walk that was read.</summary>
    /// <param name="steps">The steps in order.</param>
    /// <param name="linear">The address walked for.</param>
    public void Annotate(WalkReference[] steps, LinearAddress linear)
    {
        // What points to the next table, and what the other dimension says of that table's page; null where no step tells.
        bool isHlat = _context.Mode >= GuestPagingMode.FourLevel && _context.Nested is { } controls && controls.UsesHlat(linear.Value);
        ulong pointer = isHlat ? _context.Nested!.HlatPointer!.Value : RootAttributes(linear);
        ulong? nested = null;
        ulong nestedPointer = 0;
        int nestedLevel = 0;
        for (int i = 0; i < steps.Length; i++)
        {
            ref WalkReference step = ref steps[i];
            if (step.Dimension == WalkDimension.Ept)
            {
                // A walk goes down; one that does not begins at its root, and AMD's nCR3 has no attributes here (see NptPointer).
                if (step.WasRead)
                    step = step with { MemoryType = OfNestedTable(step.Level < nestedLevel ? nestedPointer : 0, step.Entry!.Value) };
                nested = isNpt ? HostAttributes(step) : step.Before;
                nestedPointer = step.Before;
                nestedLevel = step.Level;
                continue;
            }

            if (step.WasRead && step.Entry is { } host && (!_context.IsNested || nested is not null))
                step = step with { MemoryType = Effective(OfPat(TableIndex(pointer)), host, nested) };
            bool restarts = isHlat && (step.Before & (PagingEntry.Restart | PagingEntry.Present)) == (PagingEntry.Restart | PagingEntry.Present);
            pointer = restarts ? RootAttributes(linear) : step.Before;
            isHlat &= !restarts;
            nested = null;
        }
    }

    /// <summary>The same of a load of PDPTE registers: write-back for paging, whatever CR0.CD says; EPT's type has its say, and MTRRs have none.</summary>
    /// <param name="steps">The steps in order: those of EPT, then the four entries.</param>
    public void AnnotatePdptes(WalkReference[] steps)
    {
        var type = MemoryType.WriteBack;
        for (int i = 0; i < steps.Length; i++)
        {
            ref WalkReference step = ref steps[i];
            if (step.Dimension == WalkDimension.Ept)
            {
                step = step with { MemoryType = (MemoryType)(_context.Eptp & 7) };
                type = (MemoryType)((step.Before & EptEntry.MemoryTypeMask) >> 3);
                continue;
            }

            // Write-back combined with EPT's type is EPT's type, so "ignore PAT" changes nothing.
            step = step with { MemoryType = type };
        }
    }

    // What the nested dimension says has its bits where EPT's leaf has memory type and IPAT; AMD's index of the host's PAT stands for the former.
    private MemoryType Effective(MemoryType pat, HostPhysicalAddress host, ulong? nested)
    {
        if (nested is { } attributes && isNpt)
            return OfHost(NestedMemoryTypes.CombinePats(pat, OfHostPat((int)(attributes >> 3) & 7)), host);
        if (_context.IsCacheDisabled)
            return MemoryType.Uncacheable;
        if (nested is not { } entry)
            return Combine(pat, _context.MemoryTypes?.TypeOf(host) ?? MemoryType.WriteBack);
        var type = (MemoryType)((entry & EptEntry.MemoryTypeMask) >> 3);
        return (entry & EptEntry.IgnorePat) != 0 ? type : Combine(pat, type);
    }

    // Either dimension's CR0.CD disables caching, AMD's way.
    private MemoryType OfHost(MemoryType pat, HostPhysicalAddress host) => _context.IsCacheDisabled || Host.IsCacheDisabled
        ? MemoryType.CacheDisable
        : NestedMemoryTypes.CombineWithRange(pat, Host.MemoryTypes?.TypeOf(host) ?? MemoryType.WriteBack);

    // EPT's are all of the pointer's type; AMD's are typed like any table of the host.
    private MemoryType OfNestedTable(ulong pointer, HostPhysicalAddress entry) => isNpt ? OfHost(OfHostPat(TableIndex(pointer)), entry)
        : _context.IsCacheDisabled ? MemoryType.Uncacheable
        : (MemoryType)(_context.Eptp & 7);

    // The PAT index that a nested entry gives to the page it maps, where EPT has a memory type. The nested TLB holds it so.
    private static ulong HostAttributes(in WalkReference step) => step.Source == WalkSource.NestedTlb
        ? step.Before & EptEntry.MemoryTypeMask
        : (TlbEntry.Attributes(step.Before, step.Level == 1 ? PageSize.Size4K : PageSize.Size2M) >> 4) & EptEntry.MemoryTypeMask;

    private NestedHostMemory Host => _context.Nested?.HostMemory ?? NestedHostMemory.Default;

    // Of CR3, unless its bits are a PCID; of the register in PAE paging.
    private ulong RootAttributes(LinearAddress linear) => _context.Mode switch
    {
        GuestPagingMode.Pae => _context.Pdptes[linear.Value],
        >= GuestPagingMode.FourLevel when (_context.Cr4 & Cr4.PcidEnable) != 0 => 0,
        _ => _context.Cr3,
    };

    private MemoryType OfPat(int index) => (MemoryType)((_context.Pat >> (8 * index)) & 7);

    private MemoryType OfHostPat(int index) => (MemoryType)((Host.Pat >> (8 * index)) & 7);

    private static int TableIndex(ulong pointer) => (int)((pointer & TableAttributes) >> 3);
}
