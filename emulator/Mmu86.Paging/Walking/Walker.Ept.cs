using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Guest-physical to host-physical: the other dimension, through the same loop.</content>
internal sealed unsafe partial class Walker
{
    private const EptViolationQualification FlagUpdate = EptViolationQualification.Read | EptViolationQualification.Write;

    // What a 4-level EPT covers. An address beyond it is an EPT violation.
    private const int EptAddressBits = 48;

    // The linear address walked for, to be told with a failure.
    private ulong _linear;

    // Of an inspection: the nested TLB would have answered for the EPT walk under way.
    private bool _nestedTlbAnswers;

    private static ulong Needed(AccessKind kind) => kind switch
    {
        AccessKind.Read => EptEntry.Read,
        AccessKind.Write => EptEntry.Write,
        _ => EptEntry.Execute,
    };

    private static EptViolationQualification FinalAccess(AccessKind kind) => EptViolationQualification.FinalTranslation | kind switch
    {
        AccessKind.Read => EptViolationQualification.Read,
        AccessKind.Write => EptViolationQualification.Write,
        _ => EptViolationQualification.Fetch,
    };

    // With EPT's accessed and dirty flags on, every access to a guest table counts as a write. SDM 3, "Accessed and Dirty Flags for EPT".
    private bool TryLocateTable<TWalk>(ulong guestTable, ulong offset, out ulong table, out bool isWritable)
        where TWalk : struct, IWalkKind
    {
        bool isWrite = _eptDirty != 0;
        ulong needed = isWrite ? EptEntry.Read | EptEntry.Write : EptEntry.Read;
        EptViolationQualification access = isWrite ? FlagUpdate : EptViolationQualification.Read;
        bool found = TryTranslateGuestPhysical<TWalk>(guestTable + offset, needed, access, out GuestPhysicalMapping mapping);
        table = mapping.Host - offset;
        isWritable = (mapping.Entry & EptEntry.Write) != 0;
        return found;
    }

    private bool TryTranslateGuestPhysical<TWalk>(ulong address, ulong needed, EptViolationQualification access, out GuestPhysicalMapping mapping)
        where TWalk : struct, IWalkKind
    {
        StructureCache* nested = _nestedTlb;
        if (TWalk.Records)
            _nestedTlbAnswers = false;
        if (nested->Exists)
        {
            // A write needs EPT's dirty flag known to be set, where EPT has flags.
            ulong wanted = (needed & EptEntry.Write) != 0 ? needed | _eptDirty : needed;
            for (PageSize size = PageSize.Size4K; size <= PageSize.Size1G; size++)
            {
                if (!nested->MayHold(size))
                    continue;
                int found = nested->Find(_ept->Space, size, address >> size.Shift(), out int set);
                if (found < 0)
                    continue;
                ulong entry = nested->Data(found);
                if ((entry & wanted) != wanted)
                    break;
                if (!TWalk.LeavesTrace)
                {
                    _nestedTlbAnswers = true;
                    break;
                }

                nested->Hits++;
                nested->Touch(found, set);
                mapping.Entry = entry;
                mapping.Host = (entry & PagingEntry.AddressMask & ~size.OffsetMask()) | (address & size.OffsetMask());
                mapping.Size = size;
                if (TWalk.Records)
                    Recorder.Cached(WalkDimension.Ept, (int)size + 1, new HostPhysicalAddress(nested->Source(found)), entry, WalkSource.NestedTlb);
                return true;
            }

            if (TWalk.LeavesTrace)
                nested->Misses++;
        }

        return TryWalkEpt<TWalk>(address, needed, access, out mapping);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryWalkEpt<TWalk>(ulong address, ulong needed, EptViolationQualification access, out GuestPhysicalMapping mapping)
        where TWalk : struct, IWalkKind
    {
        mapping = default;
        if (address >> EptAddressBits != 0)
            return FailViolation<TWalk>(address, access, 0);
        Descent* descent = _ept;
        descent->Address = address;
        descent->UsesCaches = true;
        ulong rights = 0;
        int level;
        while (true)
        {
            DescentEnd end = Descend<EptPaging, HostTables, TWalk>(descent, address, out _, out ulong granted, out level);
            if (end == DescentEnd.NotPresent)
                return FailViolation<TWalk>(address, access, 0);
            if (end == DescentEnd.Malformed)
                return FailMisconfiguration(address);
            if (end == DescentEnd.Mapped)
            {
                rights = granted & EptEntry.Rights;
                if ((rights & needed) != needed)
                    return FailViolation<TWalk>(address, access, rights);
                ulong wanted = _ept->AccessedFlag | ((needed & EptEntry.Write) != 0 ? _eptDirty : 0);
                if ((descent->Entry & wanted) != wanted)
                    end = SetFlags<HostTables, TWalk>(descent, wanted);
            }

            if (end == DescentEnd.Mapped)
                break;
            // An entry that changed under the walk: read everything again.
            descent->UsesCaches = false;
        }

        PageSize size = (PageSize)(level - 1);
        mapping.Size = size;
        mapping.Entry = (descent->Entry & ~EptEntry.Rights) | rights;
        mapping.Host = (descent->Entry & PagingEntry.AddressMask & ~size.OffsetMask()) | (address & size.OffsetMask());
        if (TWalk.LeavesTrace)
        {
            descent->FillCaches(_arena);
            if (_nestedTlb->Exists)
                _nestedTlb->Fill(_arena, _ept->Space, size, address >> size.Shift(), mapping.Entry, 0, descent->EntryHost);
        }

        return true;
    }

    // SDM 3, "Operations that Invalidate Cached Mappings": the violation drops what would translate this guest-physical address.
    private bool FailViolation<TWalk>(ulong address, EptViolationQualification access, ulong rights)
        where TWalk : struct, IWalkKind
    {
        if (TWalk.LeavesTrace)
            _caches.RemoveGuestPhysical(_ept->Space, address);
        Fault = new TranslationFault
        {
            Failure = TranslationFailure.EptViolation,
            Linear = new LinearAddress(_linear),
            GuestPhysical = new GuestPhysicalAddress(address),
            Qualification = access | EptViolationQualification.LinearAddressValid | (EptViolationQualification)(rights << 3),
        };
        return false;
    }

    private bool FailMisconfiguration(ulong address)
    {
        Fault = new TranslationFault
        {
            Failure = TranslationFailure.EptMisconfiguration,
            Linear = new LinearAddress(_linear),
            GuestPhysical = new GuestPhysicalAddress(address),
        };
        return false;
    }
}
