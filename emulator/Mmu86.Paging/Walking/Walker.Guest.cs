using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Linear to guest-physical, and on to host-physical.</content>
internal sealed unsafe partial class Walker
{
    private const ulong GuestRights = (ulong)(TranslationRights.Writable | TranslationRights.User | TranslationRights.Executable);

    private bool TryWalkGuest<TAccess, TWalk>(ulong address, AccessKind kind, AccessMode mode, out WalkResult result)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        Unsafe.SkipInit(out result);
        result.IsGlobal = false;
        // Without paging there is no 64-bit mode, and a linear address has 32 bits.
        if (!_isPaging)
            return TryFinish<TAccess, TWalk>((uint)address, kind, GuestRights | TlbEntry.Dirty, PageSize.Size4K, ref result);

        Descent* descent = _guest;
        descent->Address = address;
        descent->UsesCaches = true;
        while (true)
        {
            DescentEnd end = Descend<FourLevelPaging, TAccess, TWalk>(descent, address, out ulong entry, out ulong rights, out int level);
            if (end == DescentEnd.Mapped)
                end = FinishGuest<TAccess, TWalk>(descent, address, entry, Condense(rights), (PageSize)(level - 1), kind, mode, ref result);
            switch (end)
            {
                case DescentEnd.Mapped:
                    if (TWalk.LeavesTrace)
                        descent->FillCaches(_arena);
                    return true;
                case DescentEnd.NotPresent:
                    FailPage(address, kind, mode, PageFaultErrorCode.None);
                    return false;
                case DescentEnd.Malformed:
                    FailPage(address, kind, mode, PageFaultErrorCode.Present | PageFaultErrorCode.Reserved);
                    return false;
                case DescentEnd.Refused:
                    return false;
                case DescentEnd.Stale:
                    // The second round reads every table, and flags are sticky, so it ends.
                    descent->UsesCaches = false;
                    break;
                default:
                    throw new UnreachableException();
            }
        }
    }

    // The entry that maps the page is found: rights, then EPT's word on the page itself, then accessed and dirty.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private DescentEnd FinishGuest<TAccess, TWalk>(
        Descent* descent, ulong address, ulong entry, ulong rights, PageSize size, AccessKind kind, AccessMode mode, ref WalkResult result)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        if (_verdicts[AccessRights.Index(AccessRights.Class(kind, mode), rights | TlbEntry.EptRights | TlbEntry.Dirty)] != AccessRights.Allowed)
        {
            FailPage(address, kind, mode, PageFaultErrorCode.Present);
            return DescentEnd.Refused;
        }

        ulong offset = size.OffsetMask();
        ulong guestPhysical = (entry & PagingEntry.AddressMask & ~offset) | (address & offset);
        ulong wanted = kind == AccessKind.Write ? PagingEntry.Accessed | PagingEntry.Dirty : PagingEntry.Accessed;
        // The dirty flag has the same place in both words.
        ulong flags = rights | ((entry | wanted) & TlbEntry.Dirty) | TlbEntry.Attributes(entry, size);
        if (!TryFinish<TAccess, TWalk>(guestPhysical, kind, flags, size, ref result))
            return DescentEnd.Refused;
        result.IsGlobal = _usesGlobal && (entry & PagingEntry.Global) != 0;
        return (entry & wanted) == wanted ? DescentEnd.Mapped : SetFlags<TAccess, TWalk>(descent, wanted);
    }

    // The guest-physical address is known: EPT, where it is on, has the last word.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryFinish<TAccess, TWalk>(ulong guestPhysical, AccessKind kind, ulong flags, PageSize guestSize, ref WalkResult result)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        result.GuestPhysical = guestPhysical;
        if (!TAccess.IsNested)
        {
            result.Host = guestPhysical;
            result.Size = guestSize;
            result.Flags = flags | TlbEntry.EptRights | ((ulong)guestSize << TlbEntry.GuestSizeShift) | ((ulong)guestSize << TlbEntry.EptSizeShift);
            return true;
        }

        if (!TryTranslateGuestPhysical<TWalk>(guestPhysical, Needed(kind), FinalAccess(kind), out GuestPhysicalMapping mapping))
            return false;
        result.Host = mapping.Host;
        result.Size = mapping.Size < guestSize ? mapping.Size : guestSize;
        // With EPT's flags on, a write may skip the walk only if both dirty flags are known to be set.
        if (_eptDirty != 0 && (mapping.Entry & EptEntry.Dirty) == 0)
            flags &= ~TlbEntry.Dirty;
        result.Flags = flags
            | ((mapping.Entry & EptEntry.Rights) << 3)
            | ((ulong)guestSize << TlbEntry.GuestSizeShift)
            | ((ulong)mapping.Size << TlbEntry.EptSizeShift)
            | ((mapping.Entry & (EptEntry.MemoryTypeMask | EptEntry.IgnorePat)) >> 3 << TlbEntry.MemoryTypeShift);
        return true;
    }

    // W, U/S and inverted XD, from the places where entries have them to those where TLB entries have them.
    private static ulong Condense(ulong rights) => ((rights >> 1) & 3) | ((rights >> 63) << 2);

    private void FailPage(ulong address, AccessKind kind, AccessMode mode, PageFaultErrorCode cause)
    {
        PageFaultErrorCode code = cause;
        if (kind == AccessKind.Write)
            code |= PageFaultErrorCode.Write;
        if (mode == AccessMode.User)
            code |= PageFaultErrorCode.User;
        bool tellsFetches = (_context.Cr4 & Cr4.Smep) != 0
            || ((_context.Cr4 & Cr4.PhysicalAddressExtension) != 0 && (_context.Efer & Efer.NoExecuteEnable) != 0);
        if (kind == AccessKind.Fetch && tellsFetches)
            code |= PageFaultErrorCode.InstructionFetch;
        Fault = new TranslationFault { Failure = TranslationFailure.PageFault, Linear = new LinearAddress(address), ErrorCode = code };
    }
}
