using System.Diagnostics;
using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <content>Page faults: whose they are, and the entries that make those go away that are not the guest's.</content>
public sealed partial class ShadowPaging
{
    private bool TryResolve(Vcpu processor, ref VmExit exit, out PopulateResult memory)
    {
        memory = PopulateResult.Mapped;
        processor.Mmu.InvalidateAfterPageFault(exit.Linear);

        // The shadow tables have execute-disable always, so a fetch is always told.
        var code = (PageFaultErrorCode)exit.ErrorCode;
        AccessKind kind = (code & PageFaultErrorCode.Write) != 0 ? AccessKind.Write
            : (code & PageFaultErrorCode.InstructionFetch) != 0 ? AccessKind.Fetch
            : AccessKind.Read;
        IMmu guest = GuestTables(processor);
        while (!guest.TryTranslate(exit.Linear, kind, exit.Mode, out _))
        {
            TranslationFault fault = guest.Fault;
            if (fault.Failure == TranslationFailure.PageFault)
                return TryInject(processor, fault, ref exit);
            if (fault.Failure != TranslationFailure.EptViolation)
                throw new UnreachableException($"The guest's tables cannot be walked: {fault}.");
            memory = _memory.Populate(fault.GuestPhysical);
            if (memory == PopulateResult.Mapped)
                continue;
            exit = exit with { GuestPhysical = fault.GuestPhysical };
            return false;
        }

        WalkTrace walk = _last.Trace!;
        bool isNews = kind == AccessKind.Write && _tables.NoteWrite(walk.GuestPhysical!.Value.Frame);
        if (isNews)
            Counts.WriteProtectFaults++;
        else
            Counts.HiddenPageFaults++;
        while (!TryFill(walk))
        {
            if (!_tables.TryMakeRoom())
            {
                memory = PopulateResult.NoFrame;
                exit = exit with { GuestPhysical = walk.GuestPhysical!.Value };
                return false;
            }
        }

        return true;
    }

    // The fault makes the processor forget the page, so a shadow entry that was in step with older tables must not stay either.
    private bool TryInject(Vcpu processor, in TranslationFault fault, ref VmExit exit)
    {
        Counts.InjectedPageFaults++;
        Invalidate(processor, fault.Linear);
        if (processor.InjectPageFault(fault.Linear, fault.ErrorCode) is not { } end)
            return true;
        exit = end;
        return false;
    }

    // Makes the entry for a translation, and the tables on the way. False where there is no room for a table.
    private bool TryFill(WalkTrace walk)
    {
        ulong linear = walk.Linear.Value;
        PageSize size = SizeFor(walk);
        int leafLevel = 1 + (int)size;
        ShadowTable table = _tables.Current!.Top!;
        for (int level = table.Level; level > leafLevel; level--)
        {
            int at = ShadowTable.IndexOf(linear, level);
            GuestFrameNumber? below = EntryAt(walk, level - 1) is { } next ? next.GuestEntry!.Value.Frame : null;
            if (!_tables.TryDescend(table, at, below, out ShadowTable? child))
                return false;
            if (EntryAt(walk, level) is { } used)
                table.Remember(at, used.After);
            table = child!;
        }

        int index = ShadowTable.IndexOf(linear, leafLevel);
        GuestFrameNumber frame = FirstFrame(walk, size);
        _tables.Map(new ShadowPlace(table, index), size, EntryFor(walk, size), frame);
        if (EntryAt(walk, leafLevel) is { } source)
            table.Remember(index, source.After);
        return true;
    }

    // The smaller page of both dimensions; smaller still where a part of it is a table of the guest, which has rights of its own.
    private PageSize SizeFor(WalkTrace walk)
    {
        PageSize guest = walk.GuestPageSize!.Value.Held();
        PageSize size = _tables.Current!.Key.Mode == GuestPagingMode.None || guest > walk.HostPageSize!.Value ? walk.HostPageSize!.Value : guest;
        if (size > _largestPage)
            size = _largestPage;
        while (size != PageSize.Size4K && HasTable(walk, size))
            size--;
        return size;
    }

    private bool HasTable(WalkTrace walk, PageSize size)
    {
        GuestFrameNumber first = FirstFrame(walk, size);
        if (_tables.AnyTableIn(first, size))
            return true;
        foreach (WalkReference step in walk.References)
        {
            if (step.Dimension == WalkDimension.Guest && step.GuestEntry!.Value.Frame.Value - first.Value < size.Bytes() >> 12)
                return true;
        }

        return false;
    }

    private static GuestFrameNumber FirstFrame(WalkTrace walk, PageSize size) => new((walk.GuestPhysical!.Value.Value & ~size.OffsetMask()) >> 12);

    private ulong EntryFor(WalkTrace walk, PageSize size)
    {
        TranslationRights rights = walk.Rights!.Value;
        bool isWrite = walk.Kind == AccessKind.Write;
        ulong entry = (walk.HostPhysical!.Value.Value & ~size.OffsetMask()) | PagingEntry.Present | PagingEntry.Accessed;
        if (size != PageSize.Size4K)
            entry |= PagingEntry.PageSizeBit;
        if ((rights & TranslationRights.User) != 0)
            entry |= PagingEntry.User;
        if ((rights & TranslationRights.Executable) == 0)
            entry |= PagingEntry.ExecuteDisable;

        // Keys are in the entry that maps the page; without keys the bits are ignored.
        if (EntryAt(walk, 1 + (int)walk.GuestPageSize!.Value) is { } leaf)
            entry |= leaf.After & (0xFUL << PagingEntry.ProtectionKeyShift);
        bool isWritable = (rights & TranslationRights.Writable) != 0;
        if (isWrite && !isWritable)
        {
            // CR0.WP=0 lets the supervisor write to a read-only page, which the processor's WP=1 denies: one instruction may.
            _windows.Add(walk.Linear);
            isWritable = true;
        }

        // A page that is clean, or a table of the guest, is read-only until it is written to.
        if (isWritable && (rights & TranslationRights.Dirty) != 0 && !_tables.IsProtected(FirstFrame(walk, PageSize.Size4K)))
            entry |= PagingEntry.Writable | PagingEntry.Dirty;
        return entry;
    }

    private static WalkReference? EntryAt(WalkTrace walk, int level)
    {
        foreach (WalkReference step in walk.References)
        {
            if (step.Dimension == WalkDimension.Guest && step.Level == level)
                return step;
        }

        return null;
    }
}
