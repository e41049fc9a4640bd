using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Linear to guest-physical, and on to host-physical.</content>
internal sealed unsafe partial class Walker
{
    private const ulong GuestRights = (ulong)(TranslationRights.Writable | TranslationRights.User | TranslationRights.Executable);

    // The level of the entry that sent the last walk of hypervisor-managed tables back; 0 where none did.
    private int _restartLevel;

    // The modes that 64-bit mode does not have (a linear address has 32 bits in them: the caller sees to that), and what VMX adds to the others.
    private bool TryWalkUnusual<TAccess, TWalk>(ulong address, AccessKind kind, AccessMode mode, out WalkResult result)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        Unsafe.SkipInit(out result);
        if (!_context.IsPaging)
        {
            result.IsGlobal = false;
            return TryFinish<TAccess, TWalk>(address, kind, GuestRights | TlbEntry.Dirty, PageSize.Size4K, PageSize.Size4K, ref result);
        }

        if (_context.Mode >= GuestPagingMode.FourLevel)
            return TryWalkLong<TAccess, TWalk>(address, kind, mode, out result);
        if (_guest->Layout->EntryBytes == 4)
            return TryWalkGuest<FourByteEntries, TAccess, TWalk>(address, kind, mode, out result);

        // PAE paging: a register instead of a table. It has neither rights nor flags.
        ulong pdpte = _context.Pdptes[address];
        if (TAccess.IsNested && _nested.IsNpt && !TryReadPdpte<TWalk>(address, kind, mode, out pdpte))
            return false;
        if ((pdpte & PagingEntry.Present) == 0)
        {
            FailPage(address, kind, mode, PageFaultErrorCode.None);
            return false;
        }

        _guest->Root = pdpte & _addressMask;
        return TryWalkGuest<EightByteEntries, TAccess, TWalk>(address, kind, mode, out result);
    }

    // SDM 3, "Ordinary Paging and HLAT Paging": with the hypervisor's tables, and where they say so once more with those of CR3 as if nothing had
    // been before. The page is then no larger than what the entry that said so controls. Nothing is cached of the hypervisor's tables but translations.
    private bool TryWalkLong<TAccess, TWalk>(ulong address, AccessKind kind, AccessMode mode, out WalkResult result)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        PageSize largest = PageSize.Size1G;
        if (TAccess.IsNested && _controls is { } controls && controls.UsesHlat(address))
        {
            ulong root = _guest->Root;
            StructureCache* lowest = _guest->LowestCache;
            _guest->Root = controls.HlatPointer!.Value & _addressMask;
            _guest->LowestCache = null;
            _restartLevel = 0;
            bool found = TryWalkGuest<HypervisorManagedEntries, TAccess, TWalk>(address, kind, mode, out result);
            _guest->Root = root;
            _guest->LowestCache = lowest;
            if (_restartLevel == 0)
                return found;
            largest = (PageSize)(Math.Min(_restartLevel, 3) - 1);
        }

        if (!TryWalkGuest<EightByteEntries, TAccess, TWalk>(address, kind, mode, out result))
            return false;
        if (TlbEntry.GuestSize(result.Flags) > largest)
        {
            result.Flags = (result.Flags & ~(3UL << TlbEntry.GuestSizeShift)) | ((ulong)largest << TlbEntry.GuestSizeShift);
            result.Size = result.Size < largest ? result.Size : largest;
        }

        return true;
    }

    // Never part of its callers: the loop needs every register, and theirs would be kept on the stack across it anyway.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryWalkGuest<TFormat, TAccess, TWalk>(ulong address, AccessKind kind, AccessMode mode, out WalkResult result)
        where TFormat : struct, IGuestFormat
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        Unsafe.SkipInit(out result);
        result.IsGlobal = false;
        if (TAccess.IsVerified)
            _verified = ulong.MaxValue;
        Descent* descent = _guest;
        descent->Address = TFormat.Prefixed(address);
        descent->UsesCaches = true;
        while (true)
        {
            DescentEnd end = Descend<TFormat, TAccess, TWalk>(descent, address, out ulong entry, out ulong rights, out int level);
            if (end == DescentEnd.Mapped)
                end = FinishGuest<TFormat, TAccess, TWalk>(descent, address, entry, Condense(rights), TFormat.SizeAt(level), kind, mode, ref result);
            switch (end)
            {
                case DescentEnd.Mapped:
                    if (TWalk.ActsAsAccess && descent->StartLevel != descent->Level)
                        descent->FillCaches(_arena);
                    return true;
                case DescentEnd.NotPresent:
                    FailPage(address, kind, mode, OfTables<TFormat>());
                    return false;
                case DescentEnd.Malformed:
                    FailPage(address, kind, mode, PageFaultErrorCode.Present | PageFaultErrorCode.Reserved | OfTables<TFormat>());
                    return false;
                case DescentEnd.Restarted when TFormat.MayRestart:
                    _restartLevel = level;
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

    // Whose tables refuse.
    private static PageFaultErrorCode OfTables<TFormat>()
        where TFormat : struct, IGuestFormat => TFormat.MayRestart ? PageFaultErrorCode.HypervisorManaged : PageFaultErrorCode.None;

    // The entry that maps the page is found: rights, then EPT's word on the page itself, then accessed and dirty.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private DescentEnd FinishGuest<TFormat, TAccess, TWalk>(
        Descent* descent, ulong address, ulong entry, ulong rights, PageSize size, AccessKind kind, AccessMode mode, ref WalkResult result)
        where TFormat : struct, IGuestFormat
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        int accessClass = AccessRights.Class(kind, mode);
        if (_verdicts[AccessRights.Index(accessClass, rights | TlbEntry.EptRights | TlbEntry.Dirty)] != AccessRights.Allowed
            && IsDenied(address, entry, accessClass, rights))
            return DescentEnd.Refused;

        ulong guestPhysical = TFormat.Frame(entry, size) | (address & TFormat.OffsetMask(size));
        ulong wanted = kind == AccessKind.Write ? PagingEntry.Accessed | PagingEntry.Dirty : PagingEntry.Accessed;
        // The dirty flag has the same place in both words.
        ulong flags = rights | ((entry | wanted) & TlbEntry.Dirty) | TlbEntry.Attributes(entry, size);
        if (!TryFinish<TAccess, TWalk>(guestPhysical, kind, flags, size, TFormat.Held(size), ref result))
            return DescentEnd.Refused;
        result.IsGlobal = _usesGlobal && (entry & PagingEntry.Global) != 0;
        return (entry & wanted) == wanted ? DescentEnd.Mapped : SetFlags<TAccess, TWalk>(descent, wanted);
    }

    // The rights may deny the access, or leave it to the protection key. A key that denies is told whatever else denies.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool IsDenied(ulong address, ulong entry, int accessClass, ulong rights)
    {
        ulong judged = rights | TlbEntry.EptRights | TlbEntry.Dirty | (entry & TlbEntry.KeyMask);
        if (_rights.Judge(accessClass, judged) == AccessRights.Allowed)
            return false;
        PageFaultErrorCode key = _rights.KeyDenies(accessClass, judged) ? PageFaultErrorCode.ProtectionKey : PageFaultErrorCode.None;
        FailPage(address, (AccessKind)(accessClass >> 2), (AccessMode)(accessClass & 3), PageFaultErrorCode.Present | key);
        return true;
    }

    // The guest-physical address is known: EPT, where it is on, has the last word.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryFinish<TAccess, TWalk>(ulong guestPhysical, AccessKind kind, ulong flags, PageSize guestSize, PageSize held, ref WalkResult result)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        result.GuestPhysical = guestPhysical;
        if (!TAccess.IsNested)
        {
            result.Host = guestPhysical;
            result.Size = held;
            result.Flags = flags | TlbEntry.EptRights | ((ulong)guestSize << TlbEntry.GuestSizeShift) | ((ulong)guestSize << TlbEntry.EptSizeShift);
            return true;
        }

        return TryFinishNested<TWalk>(guestPhysical, kind, flags, guestSize, ref result);
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
