using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>The judge of the MMU: every paging mode, alone or above 4-level EPT, told in the order of the manual, with no cache of any kind.</summary>
/// <remarks>
/// Slow and literal on purpose, and written without a look at the walker of the emulator. SDM 3, "Paging", and "The Extended
/// Page Table Mechanism (EPT)". Ids such as P09 are rows of the project's conformance checklist.
/// </remarks>
public sealed partial class ReferenceWalker
{
    private readonly IReferenceMemory _memory;
    private readonly ReferenceCapabilities _capabilities;
    private readonly PagingContext _context;
    private readonly IReferenceNestedWalker? _ept;

    /// <summary>Makes a walker for one context.</summary>
    public ReferenceWalker(IReferenceMemory memory, ReferenceCapabilities capabilities, in PagingContext context)
    {
        _memory = memory;
        _capabilities = capabilities;
        _context = context;
        _ept = !context.IsNested ? null
            : capabilities.HasNpt ? new ReferenceNptWalker(memory, capabilities, context.Eptp)
            : new ReferenceEptWalker(memory, capabilities, context.Eptp, context.Nested);
    }

    /// <summary>Judges one access against memory as it is now. Writes nothing.</summary>
    public ReferenceWalk Walk(ReferenceAccess access)
    {
        // "Paging Modes and Control Bits" (P01).
        bool paging = (_context.Cr0 & Cr0.Paging) != 0;
        bool pae = (_context.Cr4 & Cr4.PhysicalAddressExtension) != 0;
        bool longMode = paging && pae && (_context.Efer & Efer.LongModeEnable) != 0;

        // Outside IA-32e mode a linear address has 32 bits, and no access has another; within it, it is judged before paging.
        bool usable = longMode ? ReferenceLinearAddress.MayBeUsed(_context, access) : access.Linear.Value <= 0xFFFF_FFFF;
        if (!usable)
        {
            var refused = new WalkRecord(access);
            refused.Fail(new TranslationFault { Failure = TranslationFailure.NonCanonical, Linear = access.Linear });
            return refused.Finish();
        }

        ulong linear = longMode ? ReferenceLinearAddress.WithoutMetadata(_context, access) : access.Linear.Value;

        // F04: what faults report has no metadata.
        var record = new WalkRecord(access with { Linear = new LinearAddress(linear) });
        if (!paging)
            Access(record, new GuestPhysicalAddress(linear), guestPageSize: null, new ReferenceLinearRights(true, true, false));
        else if (!pae)
            Walk32Bit(record);
        else if (!longMode)
            WalkPae(record);
        else
            WalkLongMode(record);
        return record.Finish() with { Access = access };
    }

    /// <summary>Reads one guest entry through EPT, and judges presence and reserved bits. Null: the walk is over.</summary>
    private GuestEntry? UseGuestEntry(WalkRecord record, int level, GuestPhysicalAddress guestPhysical, int sizeInBytes)
    {
        var host = new HostPhysicalAddress(guestPhysical.Value);
        ReferenceEptPage? tablePage = null;
        if (_ept is not null)
        {
            // "EPT Violations": the read of a guest entry is a data read, and where A/D flags for EPT are enabled a write too (E06).
            // E05: an EPT exit on the entry's address precedes any #PF that the entry would give.
            EptViolationQualification cause = _ept.TreatsTableAccessesAsWrites
                ? EptViolationQualification.Read | EptViolationQualification.Write
                : EptViolationQualification.Read;
            if (_ept.Translate(record, guestPhysical, cause, final: null) is not { } page)
                return null;
            host = page.Address;
            tablePage = page;

            // E22: "the processor notes whether bit 58 is set in the EPT entry that maps the page".
            record.AreTablesVerified &= (page.Entry & (1UL << 58)) != 0;
        }

        ulong value = sizeInBytes == 8 ? _memory.ReadEntry(host) : ReadHalf(host);
        record.Read(WalkDimension.Guest, level, host, value);

        // "Page-Fault Exceptions": P=0 ends the walk with bit 0 of the error code clear (F01, F05); the rest of the entry is unused (P10).
        if ((value & Present) == 0)
        {
            PageFault(record, Hlat(record));
            return null;
        }

        // A reserved bit ends it with bits 0 and 3 set (F01).
        if (sizeInBytes == 8 ? HasReservedBit(level, value) : HasReservedBit32(level, value))
        {
            PageFault(record, PageFaultErrorCode.Present | PageFaultErrorCode.Reserved | Hlat(record));
            return null;
        }

        var entry = new GuestEntry(host, guestPhysical, value, tablePage);

        // "Restart of HLAT Paging": bit 11 of an entry of any level. The entry was used (A01).
        if (record.IsHlat && (value & (1UL << 11)) != 0)
        {
            CallForFlags(record, entry, Accessed);
            record.RestartLevel = level;
            return null;
        }

        return entry;
    }

    // "Page-Fault Exceptions": bit 7 where the P flag was 0 or a reserved bit was set in HLAT paging, and not after a restart (F03).
    private static PageFaultErrorCode Hlat(WalkRecord record) => record.IsHlat ? (PageFaultErrorCode)(1 << 7) : PageFaultErrorCode.None;

    private ulong ReadHalf(HostPhysicalAddress host)
    {
        ulong both = _memory.ReadEntry(new HostPhysicalAddress(host.Value & ~7UL));
        return (host.Value & 4) == 0 ? both & 0xFFFF_FFFF : both >> 32;
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
        AccessMode mode = record.Access.Mode;
        bool allowed = mode == AccessMode.User
            ? ReferenceRights.UserMayAccess(kind, userAddress, writable, executeDisabled)
            : ReferenceRights.SupervisorMayAccess(_context, kind, mode, userAddress, writable, executeDisabled);
        bool keyDenies = LongMode && ReferenceRights.KeyDenies(_context, kind, mode, userAddress, (int)(mapEntry.Value >> 59) & 15);
        if (!allowed || keyDenies)
        {
            // F03: the key is told also where other rights deny.
            PageFault(record, PageFaultErrorCode.Present | (keyDenies ? PageFaultErrorCode.ProtectionKey : 0));
            return;
        }

        // A01: A in the map entry too, D there only and only for a write. F06: neither where rights deny.
        CallForFlags(record, mapEntry, kind == AccessKind.Write ? Accessed | Dirty : Accessed);

        ulong offset = record.Access.Linear.Value & (size.Bytes() - 1);
        // "32-Bit Paging": bits 39:32 of a 4-MByte page are bits 20:13 of its PDE, bits 31:22 are its own (P04).
        ulong frame = size == PageSize.Size4M
            ? (mapEntry.Value & 0xFFC0_0000) | (((mapEntry.Value >> 13) & 0xFF) << 32)
            : mapEntry.Value & AddressBits & ~(size.Bytes() - 1);
        // "Restart of HLAT Paging" specifies a largest page size, by the level of the entry that restarted: 2 MBytes for a PDE, 1 GByte for a PDPTE.
        PageSize translated = record.RestartLevel switch
        {
            1 => PageSize.Size4K,
            2 when size == PageSize.Size1G => PageSize.Size2M,
            _ => size,
        };
        Access(record, new GuestPhysicalAddress(frame | offset), translated, new ReferenceLinearRights(userAddress, writable, executeDisabled));
    }

    /// <summary>The access itself: through EPT where it is on. CR0.PG=0: the linear address is the guest-physical one (E21).</summary>
    private void Access(WalkRecord record, GuestPhysicalAddress guestPhysical, PageSize? guestPageSize, ReferenceLinearRights rights)
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
        if (_ept.Translate(record, guestPhysical, cause, rights) is { } page)
            record.Succeed(new ReferenceTranslation(page.Address, guestPhysical, guestPageSize, page.Size));
    }

    /// <summary>Sets flags of a guest entry, which with A/D flags for EPT off is a write that EPT may refuse (E06).</summary>
    private void CallForFlags(WalkRecord record, GuestEntry entry, ulong flags)
    {
        bool mustWrite = (entry.Value & flags) != flags;
        if (mustWrite && entry.TablePage is { } page)
        {
            if (!page.PermitsPagingWrites)
            {
                record.RefuseUpdate(_ept!.DescribeRefusedUpdate(record, entry.GuestPhysical, page));
                return;
            }

            _ept!.NoteUpdate(record, page);
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
        bool pae = (_context.Cr4 & Cr4.PhysicalAddressExtension) != 0;
        bool reportsFetch = (_context.Cr4 & Cr4.Smep) != 0 || (pae && (_context.Efer & Efer.NoExecuteEnable) != 0);
        if (record.Access.Kind == AccessKind.Fetch && reportsFetch)
            cause |= PageFaultErrorCode.InstructionFetch;
        record.Fail(new TranslationFault { Failure = TranslationFailure.PageFault, Linear = record.Access.Linear, ErrorCode = cause });
    }

    /// <summary>Bits 51:12 as far as the physical width goes.</summary>
    private ulong AddressBits => ((1UL << _capabilities.PhysicalAddressBits) - 1) & ~0xFFFUL;

    private bool LongMode => (_context.Efer & Efer.LongModeEnable) != 0 && (_context.Cr4 & Cr4.PhysicalAddressExtension) != 0;

    private const ulong Present = 1UL << 0;
    private const ulong Writable = 1UL << 1;
    private const ulong User = 1UL << 2;
    private const ulong Accessed = 1UL << 5;
    private const ulong Dirty = 1UL << 6;
    private const ulong PageSizeBit = 1UL << 7;
    private const ulong ExecuteDisable = 1UL << 63;

    // A guest entry that was read: where it lies in host memory, its guest-physical address, its value, and what EPT allows there.
    private readonly record struct GuestEntry(HostPhysicalAddress Host, GuestPhysicalAddress GuestPhysical, ulong Value, ReferenceEptPage? TablePage);
}
