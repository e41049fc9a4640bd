using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Which memory type an access has: the PAT's type of the paging entry combined with an MTRR's or EPT's.</summary>
/// <remarks>
/// SDM 3, "Paging and Memory Typing" and "EPT and Memory Typing". The entry's bits are those that a TLB holds, so a type changed in memory acts
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

    /// <summary>The type of an access by the data word of its TLB entry. Null with AMD's nested paging, whose rules are others.</summary>
    /// <param name="data">The word, or the same bits of a walk.</param>
    /// <param name="host">Where the access goes.</param>
    public MemoryType? OfAccess(ulong data, HostPhysicalAddress host)
    {
        if (_context.IsNested && isNpt)
            return null;
        MemoryType pat = _context.IsPaging ? OfPat(TlbEntry.PatIndex(data)) : MemoryType.WriteBack;
        ulong ept = (data >> TlbEntry.MemoryTypeShift << 3) & (EptEntry.MemoryTypeMask | EptEntry.IgnorePat);
        return Effective(pat, host, _context.IsNested ? ept : null);
    }

    /// <summary>Puts the type of the memory that holds it beside every entry of a walk that was read.</summary>
    /// <param name="steps">The steps in order.</param>
    /// <param name="linear">The address walked for.</param>
    public void Annotate(WalkReference[] steps, LinearAddress linear)
    {
        if (_context.IsNested && isNpt)
            return;

        // What points to the next table, and what EPT says of that table's page; null where no step tells.
        bool isHlat = _context.Mode >= GuestPagingMode.FourLevel && _context.Nested is { } controls && controls.UsesHlat(linear.Value);
        ulong pointer = isHlat ? _context.Nested!.HlatPointer!.Value : RootAttributes(linear);
        ulong? ept = null;
        for (int i = 0; i < steps.Length; i++)
        {
            ref WalkReference step = ref steps[i];
            if (step.Dimension == WalkDimension.Ept)
            {
                if (step.WasRead)
                    step = step with { MemoryType = _context.IsCacheDisabled ? MemoryType.Uncacheable : (MemoryType)(_context.Eptp & 7) };
                ept = step.Before;
                continue;
            }

            if (step.WasRead && step.Entry is { } host && (!_context.IsNested || ept is not null))
                step = step with { MemoryType = Effective(OfPat(TableIndex(pointer)), host, ept) };
            bool restarts = isHlat && (step.Before & (PagingEntry.Restart | PagingEntry.Present)) == (PagingEntry.Restart | PagingEntry.Present);
            pointer = restarts ? RootAttributes(linear) : step.Before;
            isHlat &= !restarts;
            ept = null;
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

    private MemoryType Effective(MemoryType pat, HostPhysicalAddress host, ulong? ept)
    {
        if (_context.IsCacheDisabled)
            return MemoryType.Uncacheable;
        if (ept is not { } entry)
            return Combine(pat, _context.MemoryTypes?.TypeOf(host) ?? MemoryType.WriteBack);
        var type = (MemoryType)((entry & EptEntry.MemoryTypeMask) >> 3);
        return (entry & EptEntry.IgnorePat) != 0 ? type : Combine(pat, type);
    }

    // Of CR3, unless its bits are a PCID; of the register in PAE paging.
    private ulong RootAttributes(LinearAddress linear) => _context.Mode switch
    {
        GuestPagingMode.Pae => _context.Pdptes[linear.Value],
        >= GuestPagingMode.FourLevel when (_context.Cr4 & Cr4.PcidEnable) != 0 => 0,
        _ => _context.Cr3,
    };

    private MemoryType OfPat(int index) => (MemoryType)((_context.Pat >> (8 * index)) & 7);

    private static int TableIndex(ulong pointer) => (int)((pointer & TableAttributes) >> 3);
}
