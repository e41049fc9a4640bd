using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>The judge of the MMU: 4-level paging, alone or above 4-level EPT, told in the order of the manual, with no cache of any kind.</summary>
/// <remarks>
/// Slow and literal on purpose, and written without a look at the walker of the emulator. SDM 3, "Paging", and "The Extended
/// Page Table Mechanism (EPT)". Ids such as P09 are rows of the project's conformance checklist.
/// </remarks>
public sealed class ReferenceWalker
{
    private readonly IReferenceMemory _memory;
    private readonly ReferenceCapabilities _capabilities;
    private readonly PagingContext _context;
    private readonly ReferenceEptWalker? _ept;

    /// <summary>Makes a walker for one context.</summary>
    /// <exception cref="NotSupportedException">The context is a paging mode other than none and 4-level.</exception>
    public ReferenceWalker(IReferenceMemory memory, ReferenceCapabilities capabilities, in PagingContext context)
    {
        // SDM 3, "Paging Modes and Control Bits" (P01).
        if (context.IsPaging && ((context.Cr4 & Cr4.PhysicalAddressExtension) == 0 || (context.Efer & Efer.LongModeEnable) == 0
            || (context.Cr4 & Cr4.LinearAddress57) != 0))
        {
            throw new NotSupportedException("The reference walker knows 4-level paging and no paging.");
        }

        _memory = memory;
        _capabilities = capabilities;
        _context = context;
        _ept = context.IsNested ? new ReferenceEptWalker(memory, capabilities, context.Eptp) : null;
    }

    /// <summary>Judges one access against memory as it is now. Writes nothing.</summary>
    public ReferenceWalk Walk(ReferenceAccess access)
    {
        var record = new WalkRecord(access);
        if (_context.IsPaging)
            WalkFourLevels(record);
        else // P01: without paging there is no 64-bit mode, and a linear address has 32 bits.
            Access(record, new GuestPhysicalAddress((uint)access.Linear.Value), guestPageSize: null);
        return record.Finish();
    }

    private void WalkFourLevels(WalkRecord record)
    {
        ulong linear = record.Access.Linear.Value;

        // P03: bits 63:47 must all be equal.
        ulong top = linear >> 47;
        if (top != 0 && top != 0x1FFFF)
        {
            record.Fail(new TranslationFault { Failure = TranslationFailure.NonCanonical, Linear = record.Access.Linear });
            return;
        }

        // "4-Level Paging and 5-Level Paging". The PML4 table is at bits 51:12 of CR3 (P12); the PML4E is selected by bits 47:39.
        if (Use(4, _context.Cr3, (linear >> 39) & 0x1FF) is not { } pml4e)
            return;
        CallForFlags(record, pml4e, Accessed);

        // The PDPTE is selected by bits 38:30. PS=1 maps a 1-GByte page.
        if (Use(3, pml4e.Value, (linear >> 30) & 0x1FF) is not { } pdpte)
            return;
        if ((pdpte.Value & PageSizeBit) != 0)
        {
            Judge(pdpte, PageSize.Size1G, pml4e, pdpte);
            return;
        }

        CallForFlags(record, pdpte, Accessed);

        // The PDE is selected by bits 29:21. PS=1 maps a 2-MByte page.
        if (Use(2, pdpte.Value, (linear >> 21) & 0x1FF) is not { } pde)
            return;
        if ((pde.Value & PageSizeBit) != 0)
        {
            Judge(pde, PageSize.Size2M, pml4e, pdpte, pde);
            return;
        }

        CallForFlags(record, pde, Accessed);

        // The PTE is selected by bits 20:12 and maps a 4-KByte page.
        if (Use(1, pde.Value, (linear >> 12) & 0x1FF) is not { } pte)
            return;
        Judge(pte, PageSize.Size4K, pml4e, pdpte, pde, pte);

        GuestEntry? Use(int level, ulong pointer, ulong index) => UseGuestEntry(record, level, pointer, index);

        void Judge(GuestEntry mapEntry, PageSize size, params ReadOnlySpan<GuestEntry> used) => JudgeRights(record, mapEntry, size, used);
    }

    /// <summary>Reads one guest entry through EPT, and judges presence and reserved bits. Null: the walk is over.</summary>
    private GuestEntry? UseGuestEntry(WalkRecord record, int level, ulong pointer, ulong index)
    {
        var guestPhysical = new GuestPhysicalAddress((pointer & AddressBits) | (index << 3));
        var host = new HostPhysicalAddress(guestPhysical.Value);
        ulong eptRights = 7;
        if (_ept is not null)
        {
            // "EPT Violations": the read of a guest entry is a data read, and where A/D flags for EPT are enabled a write too (E06).
            // E05: an EPT exit on the entry's address precedes any #PF that the entry would give.
            EptViolationQualification cause = _ept.HasAccessedAndDirtyFlags
                ? EptViolationQualification.Read | EptViolationQualification.Write
                : EptViolationQualification.Read;
            if (_ept.Translate(record, guestPhysical, cause, EptViolationQualification.None) is not { } page)
                return null;
            host = page.Address;
            eptRights = page.Rights;
        }

        ulong value = _memory.ReadEntry(host);
        record.Read(WalkDimension.Guest, level, host, value);

        // "Page-Fault Exceptions": P=0 ends the walk with bit 0 of the error code clear (F01, F05); the rest of the entry is unused (P10).
        if ((value & Present) == 0)
        {
            PageFault(record, PageFaultErrorCode.None);
            return null;
        }

        // A reserved bit ends it with bits 0 and 3 set (F01).
        if (HasReservedBit(level, value))
        {
            PageFault(record, PageFaultErrorCode.Present | PageFaultErrorCode.Reserved);
            return null;
        }

        return new GuestEntry(host, guestPhysical, value, eptRights);
    }

    /// <summary>SDM 3, "Determination of Access Rights", once the whole walk is done (F05), then the access itself.</summary>
    private void JudgeRights(WalkRecord record, GuestEntry mapEntry, PageSize size, ReadOnlySpan<GuestEntry> used)
    {
        // R01: user-mode address if U/S=1 everywhere; R/W=1 everywhere; XD=1 anywhere (only with NXE=1, R06).
        bool userAddress = true;
        bool writable = true;
        bool executeDisabled = false;
        foreach (GuestEntry entry in used)
        {
            userAddress &= (entry.Value & User) != 0;
            writable &= (entry.Value & Writable) != 0;
            executeDisabled |= (entry.Value & ExecuteDisable) != 0;
        }

        AccessKind kind = record.Access.Kind;
        bool allowed = record.Access.Mode == AccessMode.User
            ? UserMayAccess(kind, userAddress, writable, executeDisabled)
            : SupervisorMayAccess(kind, record.Access.Mode, userAddress, writable, executeDisabled);
        if (!allowed)
        {
            PageFault(record, PageFaultErrorCode.Present);
            return;
        }

        // A01: A in the map entry too, D there only and only for a write. F06: neither where rights deny.
        CallForFlags(record, mapEntry, kind == AccessKind.Write ? Accessed | Dirty : Accessed);

        ulong offset = record.Access.Linear.Value & (size.Bytes() - 1);
        ulong frame = mapEntry.Value & AddressBits & ~(size.Bytes() - 1);
        Access(record, new GuestPhysicalAddress(frame | offset), size);
    }

    // "Determination of Access Rights", user-mode accesses (R02, R14).
    private static bool UserMayAccess(AccessKind kind, bool userAddress, bool writable, bool executeDisabled) => kind switch
    {
        AccessKind.Read => userAddress,
        AccessKind.Write => userAddress && writable,
        AccessKind.Fetch => userAddress && !executeDisabled,
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    // "Determination of Access Rights", supervisor-mode accesses (R02 to R05).
    private bool SupervisorMayAccess(AccessKind kind, AccessMode mode, bool userAddress, bool writable, bool executeDisabled)
    {
        bool smap = (_context.Cr4 & Cr4.Smap) != 0;
        bool smep = (_context.Cr4 & Cr4.Smep) != 0;
        bool writeProtect = (_context.Cr0 & Cr0.WriteProtect) != 0;

        // R04: with SMAP, data at a user-mode address only for an explicit access with AC=1.
        bool dataAllowed = !userAddress || !smap || mode == AccessMode.SupervisorWithAc;
        return kind switch
        {
            AccessKind.Read => dataAllowed,
            AccessKind.Write => dataAllowed && (writable || !writeProtect),
            AccessKind.Fetch => !executeDisabled && !(smep && userAddress),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    /// <summary>The access itself: through EPT where it is on. CR0.PG=0: the linear address is the guest-physical one (E21).</summary>
    private void Access(WalkRecord record, GuestPhysicalAddress guestPhysical, PageSize? guestPageSize)
    {
        if (_ept is null)
        {
            record.Succeed(new ReferenceTranslation(new HostPhysicalAddress(guestPhysical.Value), guestPhysical, guestPageSize, EptPageSize: null));
            return;
        }

        EptViolationQualification cause = record.Access.Kind switch
        {
            AccessKind.Read => EptViolationQualification.Read,
            AccessKind.Write => EptViolationQualification.Write,
            AccessKind.Fetch => EptViolationQualification.Fetch,
            _ => throw new InvalidOperationException(),
        };
        if (_ept.Translate(record, guestPhysical, cause, EptViolationQualification.FinalTranslation) is { } page)
            record.Succeed(new ReferenceTranslation(page.Address, guestPhysical, guestPageSize, page.Size));
    }

    /// <summary>Sets flags of a guest entry, which with A/D flags for EPT off is a write that EPT may refuse (E06).</summary>
    private void CallForFlags(WalkRecord record, GuestEntry entry, ulong flags)
    {
        bool mustWrite = (entry.Value & flags) != flags;
        if (mustWrite && (entry.EptRights & 2) == 0)
        {
            record.RefuseUpdate(ReferenceEptWalker.DescribeViolation(
                record,
                entry.GuestPhysical,
                EptViolationQualification.Read | EptViolationQualification.Write,
                EptViolationQualification.None,
                entry.EptRights));
            return;
        }

        record.CallForFlags(WalkDimension.Guest, entry.Host, entry.Value, flags);
    }

    // "Page-Fault Exceptions": the rest of the error code describes the access (F02, R05).
    private void PageFault(WalkRecord record, PageFaultErrorCode cause)
    {
        if (record.Access.Kind == AccessKind.Write)
            cause |= PageFaultErrorCode.Write;
        if (record.Access.Mode == AccessMode.User)
            cause |= PageFaultErrorCode.User;
        bool reportsFetch = (_context.Cr4 & Cr4.Smep) != 0 || (_context.Efer & Efer.NoExecuteEnable) != 0;
        if (record.Access.Kind == AccessKind.Fetch && reportsFetch)
            cause |= PageFaultErrorCode.InstructionFetch;
        record.Fail(new TranslationFault { Failure = TranslationFailure.PageFault, Linear = record.Access.Linear, ErrorCode = cause });
    }

    // The formats of "4-Level Paging and 5-Level Paging" (P07 to P09).
    private bool HasReservedBit(int level, ulong value)
    {
        // Bits 51:M in every entry.
        if ((value & ((1UL << 52) - 1) & ~((1UL << _capabilities.PhysicalAddressBits) - 1)) != 0)
            return true;
        // Bit 63 while IA32_EFER.NXE=0.
        if ((value & ExecuteDisable) != 0 && (_context.Efer & Efer.NoExecuteEnable) == 0)
            return true;

        bool pageSizeBit = (value & PageSizeBit) != 0;
        return level switch
        {
            // PS of a PML4E.
            4 => pageSizeBit,
            // PS of a PDPTE without 1-GByte pages; bits 29:13 of one that maps a page (bit 12 is PAT).
            3 => pageSizeBit && (!_capabilities.HasPage1G || (value & 0x3FFF_E000) != 0),
            // Bits 20:13 of a PDE that maps a page (bit 12 is PAT).
            2 => pageSizeBit && (value & 0x001F_E000) != 0,
            // Bit 7 of a PTE is PAT.
            1 => false,
            _ => throw new ArgumentOutOfRangeException(nameof(level)),
        };
    }

    /// <summary>Bits 51:12 as far as the physical width goes.</summary>
    private ulong AddressBits => ((1UL << _capabilities.PhysicalAddressBits) - 1) & ~0xFFFUL;

    private const ulong Present = 1UL << 0;
    private const ulong Writable = 1UL << 1;
    private const ulong User = 1UL << 2;
    private const ulong Accessed = 1UL << 5;
    private const ulong Dirty = 1UL << 6;
    private const ulong PageSizeBit = 1UL << 7;
    private const ulong ExecuteDisable = 1UL << 63;

    // A guest entry that was read: where it lies in host memory, its guest-physical address, its value, and what EPT allows there.
    private readonly record struct GuestEntry(HostPhysicalAddress Host, GuestPhysicalAddress GuestPhysical, ulong Value, ulong EptRights);
}
