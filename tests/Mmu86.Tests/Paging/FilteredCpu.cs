using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Tests.Paging;

/// <summary>What an access came to.</summary>
internal readonly record struct Outcome(bool Succeeded, ulong Host, TranslationFault Fault);

/// <summary>Uses an MMU as the interpreter does: probes the filter, and asks the MMU only where that does not answer.</summary>
internal sealed unsafe class FilteredCpu(World world, Mmu<Unobserved> mmu)
{
    private readonly ulong _ram = (ulong)world.Memory.Base;

    public Mmu<Unobserved> Mmu => mmu;

    public ulong DataLookups { get; private set; }

    public ulong FetchLookups { get; private set; }

    /// <summary>Lookups that the filter answered.</summary>
    public ulong Silent { get; private set; }

    public MmuStatistics Snapshot() => mmu.Snapshot(DataLookups, FetchLookups);

    public void Attribute()
    {
        if (mmu.AttributionIsDue)
            mmu.Attribute(DataLookups);
    }

    public Outcome Access(ulong linear, AccessKind kind, AccessMode mode)
    {
        Count(kind, 1);
        ulong page = linear & ~0xFFFUL;
        FilterSlot* slot = Slot(page, kind, mode);
        if (slot != null && slot->Tag == FilterSlot.TagOf(page))
        {
            Silent++;
            // A data slot leads into the backing; this CPU's fetch payload is the host page itself.
            ulong host = kind == AccessKind.Fetch ? slot->Payload + (linear & 0xFFF) : slot->Payload + linear - _ram;
            if (kind == AccessKind.Write && world.Memory.CodeLines(new HostFrameNumber(host >> 12)) != 0)
                throw new InvalidOperationException("A write slot leads to a frame with code.");
            return new Outcome(true, host, default);
        }

        if (!mmu.TryTranslate(new LinearAddress(linear), kind, mode, out Translation translation))
        {
            // An address that is not canonical is looked up nowhere.
            if (mmu.Fault.Failure == TranslationFailure.NonCanonical)
                Count(kind, ulong.MaxValue);
            return new Outcome(false, 0, mmu.Fault);
        }

        if (kind == AccessKind.Fetch)
        {
            mmu.EnterCodePage(new LinearAddress(page), FetchLookups);
            mmu.OfferFetch(new LinearAddress(page), mode, (nint)(translation.Address.Value & ~0xFFFUL));
        }

        return new Outcome(true, translation.Address.Value, default);
    }

    private void Count(AccessKind kind, ulong change)
    {
        if (kind == AccessKind.Fetch)
            FetchLookups += change;
        else
            DataLookups += change;
    }

    private FilterSlot* Slot(ulong page, AccessKind kind, AccessMode mode)
    {
        if (mode == AccessMode.Implicit)
            return null;
        int index = (int)(page >> 12) & (mmu.Filter.Slots - 1);
        return kind switch
        {
            AccessKind.Fetch => mmu.Filter.FetchTable(mode) + index,
            AccessKind.Read => mmu.Filter.DataTable(mode) + index,
            _ => mmu.Filter.DataTable(mode) + mmu.Filter.Slots + index,
        };
    }
}
