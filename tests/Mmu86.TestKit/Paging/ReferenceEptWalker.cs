using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Guest-physical to host-physical, as SDM 3, "EPT Translation Mechanism" says it, one paragraph after the other.</summary>
/// <remarks>Ids such as E03 are rows of the project's conformance checklist.</remarks>
internal sealed class ReferenceEptWalker(IReferenceMemory memory, ReferenceCapabilities capabilities, ulong eptp, NestedControls? controls) : IReferenceNestedWalker
{
    private readonly ReferenceEptFormat _format = new(capabilities, HasModeBasedExecute(controls), HasPagingWriteControl(controls));

    /// <summary>SDM 3, "Extended-Page-Table Pointer (EPTP)": bit 6 enables accessed and dirty flags for EPT.</summary>
    private bool HasAccessedAndDirtyFlags => (eptp & (1UL << 6)) != 0;

    /// <inheritdoc/>
    /// <remarks>"Accessed and Dirty Flags for EPT": with the flags on, yes (E06).</remarks>
    public bool TreatsTableAccessesAsWrites => HasAccessedAndDirtyFlags;

    /// <inheritdoc/>
    public ReferenceEptPage? Translate(WalkRecord record, GuestPhysicalAddress guestPhysical, EptViolationQualification cause, ReferenceLinearRights? final)
    {
        ulong gpa = guestPhysical.Value;

        // Bits 5:3 of EPTP: one less than the number of levels. A 4-level walk covers bits 47:0, a 5-level walk bits 56:0 (E22).
        int levels = (int)((eptp >> 3) & 7) + 1;

        // E27: beyond that there is nothing, as if an entry were not present, and never #VE.
        if (gpa >> ((9 * levels) + 12) != 0)
            return Violation(record, guestPhysical, cause, final, rights: 0, isConvertible: false);

        // The top table is at bits 51:12 of EPTP. From each table an entry is selected by nine bits: 56:48, 47:39, 38:30, 29:21, 20:12.
        var used = new List<(HostPhysicalAddress Address, ulong Value)>();
        ulong rights = 7 | UserExecute;
        ulong table = eptp & _format.AddressBits;
        for (int level = levels; ; level--)
        {
            ulong index = (gpa >> (3 + (9 * level))) & 0x1FF;
            var address = new HostPhysicalAddress(table | (index << 3));
            ulong entry = memory.ReadEntry(address);
            record.Read(WalkDimension.Ept, level, address, entry);

            // E02: not present: every other bit ignored, but bit 63 where EPT violations may become #VE.
            if (!_format.IsPresent(entry))
                return Violation(record, guestPhysical, cause, final, rights: 0, IsConvertible(entry));

            // E04: bad before descending.
            if (_format.IsMisconfigured(level, entry))
            {
                record.Fail(new TranslationFault
                {
                    Failure = TranslationFailure.EptMisconfiguration,
                    Linear = record.Access.Linear,
                    GuestPhysical = guestPhysical,
                });
                return null;
            }

            used.Add((address, entry));
            rights &= entry;
            // A01: bit 8 may be set too where the access then fails; never while the log is full.
            if (HasAccessedAndDirtyFlags && !IsLogFull(record))
                record.AllowFlags(address, 1UL << 8);
            if (_format.MapsPage(level, entry))
                return Page(record, guestPhysical, cause, final, used, level, rights);
            table = entry & _format.AddressBits;
        }
    }

    // The whole address was walked: now, and not before, the rights are judged (E04).
    private ReferenceEptPage? Page(
        WalkRecord record,
        GuestPhysicalAddress guestPhysical,
        EptViolationQualification cause,
        ReferenceLinearRights? final,
        List<(HostPhysicalAddress Address, ulong Value)> used,
        int level,
        ulong rights)
    {
        ulong entry = used[^1].Value;
        bool mayRead = (rights & 1) != 0;
        bool mayWrite = (rights & 2) != 0;
        // E16: with mode-based execute control a fetch from a user-mode linear address needs bit 10 and any other bit 2.
        bool mayExecute = HasModeBasedExecute(controls) && final is { IsUserMode: true } ? (rights & UserExecute) != 0 : (rights & 4) != 0;

        // "EPT Violations": a read needs bit 0 in all entries, a write bit 1, a fetch bit 2.
        bool deniesRead = Has(cause, EptViolationQualification.Read) && !mayRead;
        bool deniesFetch = Has(cause, EptViolationQualification.Fetch) && !mayExecute;

        // E22: writes by paging itself. "Clearing the write-access bit in the entry that maps the page does not prevent paging writes if bit 58 of
        // that entry is 1"; entries that reference other structures must still set it.
        bool upperMayWrite = used.SkipLast(1).All(upper => (upper.Value & 2) != 0);
        bool mayPagingWrite = mayWrite || (HasPagingWriteControl(controls) && upperMayWrite && (entry & (1UL << 58)) != 0);
        bool deniesWrite = Has(cause, EptViolationQualification.Write) && !(final is null ? mayPagingWrite : mayWrite);
        if (deniesRead || deniesFetch)
            return Violation(record, guestPhysical, cause, final, rights, IsConvertible(entry));
        if (deniesWrite)
        {
            // E19: a data write to the address itself, in a 4-KByte page with bit 61, readable and not writable.
            bool asksSubPages = controls?.SubPagePermissionTable is not null && final is not null && level == 1 && (entry & (1UL << 61)) != 0 && mayRead;
            if (!asksSubPages)
                return Violation(record, guestPhysical, cause, final, rights, IsConvertible(entry));
            var subPages = new ReferenceSubPages(memory, capabilities, controls!.SubPagePermissionTable!.Value);
            switch (subPages.Judge(record, guestPhysical))
            {
                case ReferenceSubPages.Verdict.Denied:
                    return Violation(record, guestPhysical, cause, final, rights, IsConvertible(entry));
                case ReferenceSubPages.Verdict.Event:
                    return null;
                case ReferenceSubPages.Verdict.Permitted:
                    break;
            }
        }

        // E22: guest-paging verification needs both controls. It happens where the access itself passes.
        bool verifies = HasPagingWriteControl(controls) && controls!.GuestPagingVerification && final is not null && (entry & (1UL << 57)) != 0;
        if (verifies && !record.AreTablesVerified)
            return Violation(record, guestPhysical, cause | (EptViolationQualification)(1UL << 15), final, rights, IsConvertible(entry));

        if (HasAccessedAndDirtyFlags && !SetFlags(record, guestPhysical, used, isWrite: Has(cause, EptViolationQualification.Write)))
            return null;
        var size = (PageSize)(level - 1);
        ulong offset = guestPhysical.Value & (size.Bytes() - 1);
        ulong frame = entry & _format.AddressBits & ~(size.Bytes() - 1);
        return new ReferenceEptPage(new HostPhysicalAddress(frame | offset), size, rights, entry, used[^1].Address, mayPagingWrite);
    }

    /// <summary>"Accessed and Dirty Flags for EPT" (E09) and "Page-Modification Logging" (E10).</summary>
    private bool SetFlags(WalkRecord record, GuestPhysicalAddress guestPhysical, List<(HostPhysicalAddress Address, ulong Value)> used, bool isWrite)
    {
        const ulong Accessed = 1UL << 8;
        const ulong Dirty = 1UL << 9;
        bool setsAccessed = used.Exists(entry => (record.Current(entry.Address, entry.Value) & Accessed) == 0);
        bool setsDirty = isWrite && (record.Current(used[^1].Address, used[^1].Value) & Dirty) == 0;
        if (controls?.PageModificationLog is not null && (setsAccessed || setsDirty))
        {
            // The index is looked at before any flag is set. Not in 0 to 511: log-full, nothing is set, the access does not happen.
            record.LogIndex ??= controls.PageModificationIndex;
            if (record.LogIndex > 511)
            {
                record.Fail(new TranslationFault
                {
                    Failure = TranslationFailure.PageModificationLogFull,
                    Linear = record.Access.Linear,
                    GuestPhysical = guestPhysical,
                });
                return false;
            }

            if (setsDirty)
            {
                record.Logged.Add(guestPhysical.Value & ~0xFFFUL);
                record.LogIndex--;
            }
        }

        // Bit 8 of every entry used; on a write, bit 9 of the entry that identifies the final address.
        foreach ((HostPhysicalAddress address, ulong value) in used)
            record.CallForFlags(WalkDimension.Ept, address, value, Accessed);
        if (isWrite)
            record.CallForFlags(WalkDimension.Ept, used[^1].Address, used[^1].Value, Dirty);
        return true;
    }

    private bool IsLogFull(WalkRecord record) => controls?.PageModificationLog is not null && (record.LogIndex ?? controls.PageModificationIndex) > 511;

    /// <summary>The violation of an access. SDM 3, "Exit Qualification for EPT Violations" (E07).</summary>
    /// <param name="record">Knows the linear address.</param>
    /// <param name="guestPhysical">The address refused.</param>
    /// <param name="cause">Bits 2:0.</param>
    /// <param name="final">Bit 8, and bits 11:9 on processors that tell.</param>
    /// <param name="rights">The AND of the rights of all entries, zero if one was not present: becomes bits 6:3.</param>
    /// <param name="isConvertible">"Convertible EPT Violations" (E17).</param>
    private TranslationFault Describe(
        WalkRecord record, GuestPhysicalAddress guestPhysical, EptViolationQualification cause, ReferenceLinearRights? final, ulong rights, bool isConvertible)
    {
        // Bit 7: a linear address caused every access that this walker knows.
        ulong qualification = (ulong)cause | ((rights & 7) << 3) | (1UL << 7);
        if (HasModeBasedExecute(controls) && (rights & UserExecute) != 0)
            qualification |= 1UL << 6;
        if (final is { } linear)
        {
            qualification |= 1UL << 8;
            if (capabilities.TellsViolationDetails)
            {
                qualification |= linear.IsUserMode ? 1UL << 9 : 0;
                qualification |= linear.IsWritable ? 1UL << 10 : 0;
                qualification |= linear.IsExecuteDisabled ? 1UL << 11 : 0;
            }
        }

        return new TranslationFault
        {
            Failure = TranslationFailure.EptViolation,
            Linear = record.Access.Linear,
            GuestPhysical = guestPhysical,
            Qualification = (EptViolationQualification)qualification,
            IsConvertible = isConvertible,
        };
    }

    /// <inheritdoc/>
    /// <remarks>With the flags of EPT on, the access that found the entry was a write already; with them off, nothing is set.</remarks>
    public void NoteUpdate(WalkRecord record, ReferenceEptPage page)
    {
    }

    /// <inheritdoc/>
    public TranslationFault DescribeRefusedUpdate(WalkRecord record, GuestPhysicalAddress guestPhysical, ReferenceEptPage page) => Describe(
        record, guestPhysical, EptViolationQualification.Read | EptViolationQualification.Write, final: null, page.Rights, IsConvertible(page.Entry));

    private ReferenceEptPage? Violation(
        WalkRecord record, GuestPhysicalAddress guestPhysical, EptViolationQualification cause, ReferenceLinearRights? final, ulong rights, bool isConvertible)
    {
        record.Fail(Describe(record, guestPhysical, cause, final, rights, isConvertible));
        return null;
    }

    // Bit 63 of the one entry that decides: the one not present, or the one that maps the page.
    private bool IsConvertible(ulong decidingEntry) => controls?.VirtualizationExceptionArea is not null && decidingEntry >> 63 == 0;

    private static bool HasModeBasedExecute(NestedControls? controls) => controls is { ModeBasedExecute: true };

    private static bool HasPagingWriteControl(NestedControls? controls) => controls is { PagingWrite: true };

    private static bool Has(EptViolationQualification cause, EptViolationQualification bit) => (cause & bit) != 0;

    private const ulong UserExecute = 1UL << 10;
}
