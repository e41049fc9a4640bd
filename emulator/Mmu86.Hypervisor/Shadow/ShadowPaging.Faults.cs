using System.Diagnostics;
using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <content>Page faults: whose they are, and the entries that make those go away that are not the guest's.</content>
public sealed partial class ShadowPaging
{
    // A page fault is resolved in a few rounds: dirty flag, write protection, room. Shadow tables that never satisfy the processor would be our bug.
    private const int MostRounds = 100;

    private (LinearAddress Address, uint ErrorCode, ulong Retired) _lastFault;
    private int _rounds;

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

        RequireProgress(processor, exit);
        WalkTrace walk = _last.Trace!;
        bool isNews = kind == AccessKind.Write && _tables.NoteWrite(walk.GuestPhysical!.Value.Frame);
        if (isNews)
            Counts.WriteProtectFaults++;
        else
            Counts.HiddenPageFaults++;
        if (kind == AccessKind.Write && IsForWriteProtectOff(processor, walk))
            OpenWindow(processor, walk.Linear);
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

    private void RequireProgress(Vcpu processor, in VmExit exit)
    {
        var fault = (exit.Linear, exit.ErrorCode, processor.Counters.Instructions);
        _rounds = fault == _lastFault ? _rounds + 1 : 0;
        _lastFault = fault;
        if (_rounds > MostRounds)
            throw new UnreachableException($"The shadow tables refuse what the guest's permit: {exit.Linear}, error code 0x{exit.ErrorCode:x}.");
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
        entry |= ShadowMemoryTypes.AttributesOf(walk.MemoryType!.Value, size);
        if ((rights & TranslationRights.User) != 0)
            entry |= PagingEntry.User;
        if ((rights & TranslationRights.Executable) == 0)
            entry |= PagingEntry.ExecuteDisable;

        // Keys are in the entry that maps the page, and so is G; without keys, and with CR4.PGE=0, the bits are ignored.
        if (EntryAt(walk, 1 + (int)walk.GuestPageSize!.Value) is { } leaf)
            entry |= leaf.After & ((0xFUL << PagingEntry.ProtectionKeyShift) | PagingEntry.Global);
        bool isWritable = isWrite || (rights & TranslationRights.Writable) != 0;

        // A page that is clean, or a table of the guest, is read-only until it is written to; so is a frame of which the host says so.
        if (isWritable && (rights & TranslationRights.EptWrite) != 0 && (rights & TranslationRights.Dirty) != 0 && !_tables.IsProtected(FirstFrame(walk, PageSize.Size4K)))
            entry |= PagingEntry.Writable | PagingEntry.Dirty;
        return entry;
    }

    // CR0.WP=0 lets the supervisor write to a page that is read-only, or whose key disables writes. The processor's WP=1 denies it: one instruction may.
    private bool IsForWriteProtectOff(Vcpu processor, WalkTrace walk)
    {
        PagingContext guest = _guest.Context;
        if (walk.Mode == AccessMode.User || !guest.IsPaging || (guest.Cr0 & Cr0.WriteProtect) != 0)
            return false;
        TranslationRights rights = walk.Rights!.Value;
        if ((rights & TranslationRights.Writable) == 0)
            return true;
        bool hasKey = (rights & TranslationRights.User) != 0 && (guest.Cr4 & Cr4.ProtectionKeyEnable) != 0;
        if (!hasKey || EntryAt(walk, 1 + (int)walk.GuestPageSize!.Value) is not { } leaf)
            return false;
        int key = (int)(leaf.After >> PagingEntry.ProtectionKeyShift) & 0xF;
        return ((processor.System.Pkru >> (2 * key)) & 2) != 0;
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
