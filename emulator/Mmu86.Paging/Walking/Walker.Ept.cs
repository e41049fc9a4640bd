using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Guest-physical to host-physical: the other dimension, through the same loop.</content>
internal sealed unsafe partial class Walker
{
    private const EptViolationQualification TableRead = EptViolationQualification.LinearAddressValid | EptViolationQualification.Read;

    private const EptViolationQualification FlagUpdate = TableRead | EptViolationQualification.Write;

    /// <summary>In rights of EPT with paging-write control: the page lets paging write. See <see cref="PagingWriteEpt{TFormat}"/>.</summary>
    public const ulong PagingWrite = 1UL << 11;

    // Either makes a write of what needs it.
    private const ulong AnyWrite = EptEntry.Write | PagingWrite;

    private readonly NestedTables _nested;
    private readonly Descent* _ept;

    // The tag of guest-physical entries, as in _ept.
    private uint _eptSpace;

    private NestedKind _nestedKind;
    private NestedControls? _controls;

    // What a mapping must have beside rights to serve a write: EPT's dirty flag, where EPT has flags. While it does, every access to a
    // guest table counts as a write. SDM 3, "Accessed and Dirty Flags for EPT".
    private ulong _eptDirty;

    // Where the entries in force have the rights and flags.
    private ulong _nestedAccessedFlag;
    private ulong _nestedDirtyFlag;
    private ulong _nestedRightsMask;

    // What no guest-physical address may have.
    private ulong _beyondGuestPhysical;

    // What an access to a guest table needs of its page, and how it is told. Where there is a right of its own for user-mode accesses it is
    // among them: tables are accessed by nobody's privilege.
    private ulong _tableNeed;
    private EptViolationQualification _tableAccess;

    // What a flag in a guest table needs, and what of it says beforehand that nothing will be in the way: the dirty flag too where reading a
    // table does not set it.
    private ulong _tableWrite;
    private ulong _tableWritable;

    // The pages of the guest tables used in the walk under way, ANDed: the bit for paging writes is looked at. All ones where nothing is verified.
    private bool _verifiesPaging;
    private ulong _verified = ulong.MaxValue;
    private bool _isModeBased;

    // The access walked for, to be told with a failure: its linear address, its mode, and what the guest's tables grant it.
    private ulong _linear;
    private AccessMode _mode;
    private ulong _finalRights;

    /// <summary>Whether a walk may permit an access that no cached entry may permit again: sub-page permissions, guest-mode execute trap.</summary>
    public bool MayPermitOnce { get; private set; }

    /// <summary>Translates a guest-physical address for a data read that no linear address causes: the load of PDPTE registers.</summary>
    /// <returns>False where it ended in a VM exit: see <see cref="Fault"/>.</returns>
    public bool TryTranslateForRead(ulong address, out ulong host)
    {
        Begin();
        _linear = 0;
        bool found = TryTranslateGuestPhysical<ArchitecturalWalk>(
            address, EptEntry.Read | (_tableNeed & EptEntry.UserExecute), EptViolationQualification.Read, out GuestPhysicalMapping mapping);
        host = mapping.Host;
        return found;
    }

    private void PrepareNested(in PagingContext context, uint space)
    {
        _controls = context.Nested;
        _nestedKind = _nested.Kind(context.Eptp, _controls);
        bool hasFlags = _nested.IsNpt || (context.Eptp & EptPointer.AccessedAndDirty) != 0;
        bool readsTables = !hasFlags || (_nested.IsNpt && (context.Eptp & NptPointer.ReadOnlyGuestTables) != 0);
        bool isPagingWrite = _nestedKind is NestedKind.PagingWriteEpt or NestedKind.ModeBasedPagingWriteEpt;
        bool hasHlat = !_nested.IsNpt && _controls?.HlatPointer is not null;
        _isModeBased = _nestedKind is NestedKind.ModeBasedEpt or NestedKind.ModeBasedPagingWriteEpt;
        _verifiesPaging = isPagingWrite && _controls!.GuestPagingVerification;
        _verified = ulong.MaxValue;
        _isUsual &= !_verifiesPaging && !hasHlat;
        // What caches hold of a guest's table does not say where the tables above it lie.
        if (_verifiesPaging)
            _guest->LowestCache = null;
        _nestedAccessedFlag = !hasFlags ? 0 : _nested.IsNpt ? PagingEntry.Accessed : EptEntry.Accessed;
        _nestedDirtyFlag = !hasFlags ? 0 : _nested.IsNpt ? PagingEntry.Dirty : EptEntry.Dirty;
        _eptDirty = hasFlags ? EptEntry.Dirty : 0;
        _hasExecuteTrap = _nested.IsNpt && (context.Eptp & NptPointer.GuestModeExecuteTrap) != 0;
        _needsMore = _isModeBased || _hasExecuteTrap || _verifiesPaging;
        _nestedRightsMask = _isModeBased || _hasExecuteTrap ? EptEntry.Rights | EptEntry.UserExecute : EptEntry.Rights;
        _logsModifications = hasFlags && _controls?.PageModificationLog is not null;
        MayPermitOnce = _hasExecuteTrap || _controls?.SubPagePermissionTable is not null;
        _beyondGuestPhysical = ulong.MaxValue << (EptPointer.Levels(context.Eptp) switch { 5 => 57, 4 => 48, _ => 32 });
        ulong tableUser = _hasExecuteTrap ? EptEntry.UserExecute : 0;
        _tableWrite = EptEntry.Read | tableUser | (isPagingWrite ? PagingWrite : EptEntry.Write);
        _tableWritable = (isPagingWrite ? PagingWrite : EptEntry.Write) | (readsTables && hasFlags ? EptEntry.Dirty : 0);
        _tableNeed = readsTables ? EptEntry.Read | tableUser : _tableWrite;
        _tableAccess = readsTables ? TableRead : FlagUpdate;
        _ept->Layout = _nested.Layout(_nestedKind, context.Eptp);
        _ept->Root = context.Eptp & _addressMask;
        _ept->Space = space;
        _eptSpace = space;
        _ept->LowestCache = _nestedKind is NestedKind.NptPae or NestedKind.NptBits32 ? null : _caches.LowestEpt;
        _ept->AccessedFlag = _nestedAccessedFlag;
    }

    // Where a guest's table lies, and whether flags may be set in it without asking again.
    private bool TryLocateTable<TAccess, TWalk>(Descent* descent, ulong guestTable, ulong offset, out ulong table)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        bool found = TryTranslateGuestPhysical<TWalk>(guestTable + offset, _tableNeed, _tableAccess, out GuestPhysicalMapping mapping);
        table = mapping.Host - offset;
        descent->IsTableWritable = (mapping.Entry & _tableWritable) == _tableWritable;
        if (TAccess.IsVerified)
            _verified &= mapping.Entry;
        return found;
    }

    // The address that an access ends at: what the second dimension says of it, and what a TLB entry may remember of that.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryFinishNested<TWalk>(ulong guestPhysical, AccessKind kind, ulong flags, PageSize guestSize, ref WalkResult result)
        where TWalk : struct, IWalkKind
    {
        _finalRights = flags;
        ulong needed = FinalNeed(kind, flags);
        StructureCache* nested = _nestedTlb;
        PageSize size = nested->SmallestHeld;
        ulong entry;
        // Nearly always the nested TLB has the page, in the smallest size that it holds, where that was last: no call, and nothing through memory.
        int found = TWalk.ActsAsAccess && !TWalk.Records ? nested->FindAtHint(_eptSpace, size, guestPhysical >> Shift(size)) : -1;
        ulong wanted = NeededInNestedTlb(needed);
        if (found >= 0 && (~(entry = nested->Data(found)) & wanted) == 0 && nested->TryTouchStamped(found))
        {
            nested->Hits++;
            result.Host = HostAddress(entry, size, guestPhysical);
        }
        else
        {
            if (!TryTranslateGuestPhysical<TWalk>(guestPhysical, needed, FinalAccess(kind), out GuestPhysicalMapping mapping))
                return false;
            result.Host = mapping.Host;
            size = mapping.Size;
            entry = mapping.Entry;
        }

        PageSize held = guestSize.Held();
        result.Size = size < held ? size : held;
        // With EPT's flags on, a write may skip the walk only if both dirty flags are known to be set.
        if (_eptDirty != 0 && (entry & EptEntry.Dirty) == 0)
            flags &= ~TlbEntry.Dirty;
        ulong rights = _nestedRightsMask == EptEntry.Rights ? entry & EptEntry.Rights : RightsToRemember(entry, flags);
        result.Flags = flags
            | (rights << 3)
            | ((ulong)guestSize << TlbEntry.GuestSizeShift)
            | ((ulong)size << TlbEntry.EptSizeShift)
            | ((entry & (EptEntry.MemoryTypeMask | EptEntry.IgnorePat)) >> 3 << TlbEntry.MemoryTypeShift);
        return true;
    }

    // A write needs EPT's dirty flag known to be set, where EPT has flags.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong NeededInNestedTlb(ulong needed) => (needed & AnyWrite) != 0 ? needed | _eptDirty : needed;

    // As PageSize.Shift has it, without the size that structures do not hold.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Shift(PageSize size) => 12 + (9 * (int)size);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong HostAddress(ulong entry, PageSize size, ulong address)
    {
        ulong offset = (1UL << Shift(size)) - 1;
        return (entry & PagingEntry.AddressMask & ~offset) | (address & offset);
    }

    private bool TryTranslateGuestPhysical<TWalk>(ulong address, ulong needed, EptViolationQualification access, out GuestPhysicalMapping mapping)
        where TWalk : struct, IWalkKind
    {
        StructureCache* nested = _nestedTlb;
        if (TWalk.ActsAsAccess && nested->Exists)
        {
            ulong wanted = NeededInNestedTlb(needed);
            for (PageSize size = PageSize.Size4K; size <= PageSize.Size1G; size++)
            {
                if (!nested->MayHold(size))
                    continue;
                int found = nested->Find(_eptSpace, size, address >> Shift(size));
                if (found < 0)
                    continue;
                ulong entry = nested->Data(found);
                if ((entry & wanted) != wanted)
                    break;
                nested->Hits++;
                nested->Touch(found);
                mapping.Entry = entry;
                mapping.Host = HostAddress(entry, size, address);
                mapping.Size = size;
                if (TWalk.Records)
                    Recorder.Cached(WalkDimension.Ept, (int)size + 1, new HostPhysicalAddress(nested->Source(found)), entry, WalkSource.NestedTlb);
                return true;
            }

            nested->Misses++;
        }

        if (_nestedKind == NestedKind.Ept)
            return TryWalkNested<EptPaging, TWalk>(address, needed, access, out mapping);
        if (_nestedKind == NestedKind.Npt)
            return TryWalkNested<NptPaging, TWalk>(address, needed, access, out mapping);
        return TryWalkSeldom<TWalk>(address, needed, access, out mapping);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryWalkSeldom<TWalk>(ulong address, ulong needed, EptViolationQualification access, out GuestPhysicalMapping mapping)
        where TWalk : struct, IWalkKind => _nestedKind switch
        {
            NestedKind.ModeBasedEpt => TryWalkNested<ModeBasedEptPaging, TWalk>(address, needed, access, out mapping),
            NestedKind.PagingWriteEpt => TryWalkNested<PagingWriteEpt<EptPaging>, TWalk>(address, needed, access, out mapping),
            NestedKind.ModeBasedPagingWriteEpt => TryWalkNested<PagingWriteEpt<ModeBasedEptPaging>, TWalk>(address, needed, access, out mapping),
            NestedKind.NptPae => TryWalkNestedPae<TWalk>(address, needed, access, out mapping),
            NestedKind.NptBits32 => TryWalkNested<NptShortPaging, TWalk>(address, needed, access, out mapping),
            _ => throw new UnreachableException(),
        };

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryWalkNested<TFormat, TWalk>(ulong address, ulong needed, EptViolationQualification access, out GuestPhysicalMapping mapping)
        where TFormat : struct, ITableFormat
        where TWalk : struct, IWalkKind
    {
        mapping = default;
        if ((address & _beyondGuestPhysical) != 0)
            return FailBeyond<TWalk>(address, access);
        Descent* descent = _ept;
        descent->Address = address;
        descent->UsesCaches = true;
        if (_logsModifications)
            PrepareToLog();
        ulong wanted = _nestedAccessedFlag | ((needed & AnyWrite) != 0 ? _nestedDirtyFlag : 0);
        ulong rights = 0;
        int level;
        while (true)
        {
            DescentEnd end = Descend<TFormat, HostTables, TWalk>(descent, address, out _, out ulong granted, out level);
            if (end == DescentEnd.NotPresent)
                return FailAbsent<TWalk>(address, access);
            if (end == DescentEnd.Malformed)
                return FailMalformed<TWalk>(address, access);
            if (end == DescentEnd.Mapped)
            {
                rights = IsNpt<TFormat>() ? NptRights(granted) : granted & TFormat.RightsMask;
                if ((rights & needed) != needed && !TryPermitSubPage<TWalk>(address, level, rights, needed, access))
                    return false;

                // Nearly always everything is set, or nothing is ever.
                if (((_nestedAccessedFlag & ~granted) | (wanted & ~descent->Entry)) != 0)
                {
                    if (_logsModifications && IsLogFull)
                        return FailLogFull(address);
                    end = SetNestedFlags<TWalk>(descent, address, wanted);
                }
            }

            if (end == DescentEnd.Mapped)
                break;
            // An entry that changed under the walk: read everything again.
            descent->UsesCaches = false;
        }

        PageSize size = (PageSize)(level - 1);
        mapping.Size = size;
        if (typeof(TFormat) == typeof(NptShortPaging) && size == PageSize.Size2M)
            mapping.Entry = NptMapping4M(descent->Entry, address) | rights;
        else
            mapping.Entry = IsNpt<TFormat>() ? NptMapping(descent->Entry, size) | rights : (descent->Entry & ~TFormat.RightsMask) | rights;
        ulong mapped = typeof(TFormat) == typeof(NptShortPaging) ? mapping.Entry : descent->Entry;
        mapping.Host = (mapped & PagingEntry.AddressMask & ~size.OffsetMask()) | (address & size.OffsetMask());
        if (TWalk.ActsAsAccess)
        {
            descent->FillCaches(_arena);
            if (_nestedTlb->Exists)
                _nestedTlb->Fill(_arena, _ept->Space, size, address >> size.Shift(), mapping.Entry, 0, descent->EntryHost);
        }

        return true;
    }

    // What the entry that maps the page lacks; where a write sets its dirty flag, the log tells it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private DescentEnd SetNestedFlags<TWalk>(Descent* descent, ulong address, ulong wanted)
        where TWalk : struct, IWalkKind
    {
        ulong before = descent->Entry;
        if ((before & wanted) == wanted)
            return DescentEnd.Mapped;
        DescentEnd end = SetFlags<HostTables, TWalk>(descent, wanted);
        if (_logsModifications && end == DescentEnd.Mapped && (descent->Entry & ~before & _nestedDirtyFlag) != 0)
            LogModification<TWalk>(address);
        return end;
    }

    // Decided when the walk is compiled for its format.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsNpt<TFormat>() => typeof(TFormat) == typeof(NptPaging) || typeof(TFormat) == typeof(NptShortPaging);
}
