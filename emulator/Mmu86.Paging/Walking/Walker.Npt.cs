using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>AMD's nested paging: its rights in EPT's words, so that caches and TLB entries hold one kind of word.</content>
internal sealed unsafe partial class Walker
{
    // With the guest-mode execute trap: U/S=0 in some nested entry.
    private const ulong SupervisorPage = 1UL << 62;

    private bool _hasExecuteTrap;

    // What a final access needs depends on more than its kind: seldom.
    private bool _needsMore;

    // R, W and X of EPT. Every access of a guest is a user-mode access here, so U/S=0 grants nothing; with the guest-mode execute trap the
    // guest's own mode counts, and U/S stands in bit 10, its opposite in bit 62.
    private ulong NptRights(ulong granted)
    {
        ulong isUser = (granted >> 2) & 1;
        ulong rights = EptEntry.Read | (granted & PagingEntry.Writable) | (granted >> 63 << 2);
        return _hasExecuteTrap ? rights | (isUser != 0 ? EptEntry.UserExecute : SupervisorPage) : rights & (0 - isUser);
    }

    // Address, memory type and dirty flag where EPT has them; PWT, PCD and PAT take the place of EPT's memory type.
    private static ulong NptMapping(ulong entry, PageSize size)
    {
        ulong pat = size == PageSize.Size4K ? (entry & 0x80) >> 2 : (entry & 0x1000) >> 7;
        return (entry & PagingEntry.AddressMask & ~size.OffsetMask())
            | (entry & (PagingEntry.PageWriteThrough | PagingEntry.PageCacheDisable))
            | pat
            | ((entry & PagingEntry.Dirty) << 3);
    }

    // The same for the half of a 4 MiB page that an address lies in: structures hold it as two pages.
    private static ulong NptMapping4M(ulong entry, ulong address) =>
        (NptMapping(entry, PageSize.Size2M) & ~PagingEntry.AddressMask) | PagingEntry.PageFrame4M(entry) | (address & (1UL << 21));

    // What the final access needs of a mapping's rights.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong FinalNeed(AccessKind kind, ulong flags)
    {
        // Read, write, fetch: bits 0, 1, 2.
        ulong needed = 1UL << (int)kind;
        if (!_needsMore)
            return needed;
        if (_isModeBased)
            needed = kind == AccessKind.Fetch && (flags & (ulong)TranslationRights.User) != 0 ? EptEntry.UserExecute : needed;
        if (!_hasExecuteTrap)
            return (_verified & EptEntry.PagingWriteAccess) != 0 ? needed : needed | EptEntry.VerifyGuestPaging;
        // The trap: what is not fetched for users may be fetched from pages with U/S=0 only.
        return _mode == AccessMode.User ? needed | EptEntry.UserExecute : kind == AccessKind.Fetch ? needed | SupervisorPage : needed;
    }

    // The rights that a TLB entry may claim for every access that the guest's rights let through.
    private ulong RightsToRemember(ulong entry, ulong flags)
    {
        bool isUserAddress = (flags & (ulong)TranslationRights.User) != 0;
        ulong rights = entry & EptEntry.Rights;
        bool forUsers = (entry & EptEntry.UserExecute) != 0;
        if (_isModeBased)
            return !isUserAddress ? rights : (rights & ~EptEntry.Execute) | (forUsers ? EptEntry.Execute : 0);
        if (!isUserAddress)
            return forUsers ? rights & ~EptEntry.Execute : rights;
        // A user-mode address serves accesses of both modes, and the trap lets one of them through only: such accesses are walked for.
        return forUsers ? rights & ~EptEntry.Execute : 0;
    }
}
