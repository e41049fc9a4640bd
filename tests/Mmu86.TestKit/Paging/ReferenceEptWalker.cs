using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Guest-physical to host-physical, as SDM 3, "EPT Translation Mechanism" says it, one paragraph after the other.</summary>
/// <remarks>Ids such as E03 are rows of the project's conformance checklist.</remarks>
internal sealed class ReferenceEptWalker(IReferenceMemory memory, ReferenceCapabilities capabilities, ulong eptp)
{
    /// <summary>SDM 3, "Extended-Page-Table Pointer (EPTP)": bit 6 enables accessed and dirty flags for EPT.</summary>
    public bool HasAccessedAndDirtyFlags => (eptp & (1UL << 6)) != 0;

    /// <summary>Translates one guest-physical address for one access.</summary>
    /// <param name="record">Takes the references, flags and the fault.</param>
    /// <param name="guestPhysical">The address.</param>
    /// <param name="cause">Bits 2:0 of the exit qualification: what the access is.</param>
    /// <param name="target">Bit 8 of the exit qualification: set for the translation of the linear address itself, clear for a guest table.</param>
    /// <returns>Null where the access fails; the record has the fault.</returns>
    public ReferenceEptPage? Translate(
        WalkRecord record, GuestPhysicalAddress guestPhysical, EptViolationQualification cause, EptViolationQualification target)
    {
        ulong gpa = guestPhysical.Value;

        // E27: a 4-level walk covers bits 47:0. Beyond there is nothing, as if an entry were not present.
        if (gpa >> 48 != 0)
            return Violation(record, guestPhysical, cause, target, rights: 0);

        // "EPT Translation Mechanism": the EPT PML4 table is at bits 51:12 of EPTP; the EPT PML4E is selected by bits 47:39.
        var used = new List<(HostPhysicalAddress Address, ulong Value)>();
        ulong rights = 7;
        ulong table = eptp & AddressBits;

        if (Use(4, table, (gpa >> 39) & 0x1FF) is not { } pml4e)
            return null;
        table = pml4e & AddressBits;

        // The EPT PDPTE is selected by bits 38:30. If its bit 7 is 1 it maps a 1-GByte page.
        if (Use(3, table, (gpa >> 30) & 0x1FF) is not { } pdpte)
            return null;
        if ((pdpte & (1UL << 7)) != 0)
            return Page(pdpte, PageSize.Size1G);
        table = pdpte & AddressBits;

        // The EPT PDE is selected by bits 29:21. If its bit 7 is 1 it maps a 2-MByte page.
        if (Use(2, table, (gpa >> 21) & 0x1FF) is not { } pde)
            return null;
        if ((pde & (1UL << 7)) != 0)
            return Page(pde, PageSize.Size2M);
        table = pde & AddressBits;

        // The EPT PTE is selected by bits 20:12 and maps a 4-KByte page.
        return Use(1, table, (gpa >> 12) & 0x1FF) is { } pte ? Page(pte, PageSize.Size4K) : null;

        // Reads an entry and judges what must be judged before going further (E04). Null: the walk is over.
        ulong? Use(int level, ulong tableAddress, ulong index)
        {
            var address = new HostPhysicalAddress(tableAddress | (index << 3));
            ulong entry = memory.ReadEntry(address);
            record.Read(WalkDimension.Ept, level, address, entry);

            // E02: bits 2:0 all zero: not present, every other bit ignored.
            if ((entry & 7) == 0)
            {
                Violation(record, guestPhysical, cause, target, rights: 0);
                return null;
            }

            if (IsMisconfigured(level, entry))
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
            // "Accessed and Dirty Flags for EPT": bit 8 of every entry used (E09). A01: also where the access then fails it may be set.
            if (HasAccessedAndDirtyFlags)
                record.CallForFlags(WalkDimension.Ept, address, entry, 1UL << 8);
            return entry;
        }

        // The whole address was walked: now, and not before, the rights are judged (E04).
        ReferenceEptPage? Page(ulong entry, PageSize size)
        {
            // "EPT Violations": a read needs bit 0 in all entries, a write bit 1, a fetch bit 2.
            bool allowed =
                ((cause & EptViolationQualification.Read) == 0 || (rights & 1) != 0)
                && ((cause & EptViolationQualification.Write) == 0 || (rights & 2) != 0)
                && ((cause & EptViolationQualification.Fetch) == 0 || (rights & 4) != 0);
            if (!allowed)
                return Violation(record, guestPhysical, cause, target, rights);

            // "Accessed and Dirty Flags for EPT": on a write, bit 9 of the entry that identifies the final address (E09).
            if (HasAccessedAndDirtyFlags && (cause & EptViolationQualification.Write) != 0)
                record.CallForFlags(WalkDimension.Ept, used[^1].Address, entry, 1UL << 9);

            ulong offset = gpa & (size.Bytes() - 1);
            ulong frame = entry & AddressBits & ~(size.Bytes() - 1);
            return new ReferenceEptPage(new HostPhysicalAddress(frame | offset), size, rights);
        }
    }

    /// <summary>The violation of an access. SDM 3, "Exit Qualification for EPT Violations" (E07).</summary>
    /// <param name="record">Knows the linear address.</param>
    /// <param name="guestPhysical">The address refused.</param>
    /// <param name="cause">Bits 2:0.</param>
    /// <param name="target">Bit 8.</param>
    /// <param name="rights">The AND of bits 2:0 of all entries, zero if one was not present: becomes bits 5:3.</param>
    public static TranslationFault DescribeViolation(
        WalkRecord record, GuestPhysicalAddress guestPhysical, EptViolationQualification cause, EptViolationQualification target, ulong rights) => new()
        {
            Failure = TranslationFailure.EptViolation,
            Linear = record.Access.Linear,
            GuestPhysical = guestPhysical,
            // Bit 7: a linear address caused every access that this walker knows.
            Qualification = cause | (EptViolationQualification)(rights << 3) | EptViolationQualification.LinearAddressValid | target,
        };

    private static ReferenceEptPage? Violation(
        WalkRecord record, GuestPhysicalAddress guestPhysical, EptViolationQualification cause, EptViolationQualification target, ulong rights)
    {
        record.Fail(DescribeViolation(record, guestPhysical, cause, target, rights));
        return null;
    }

    /// <summary>Bits 51:12 as far as the physical width goes.</summary>
    private ulong AddressBits => ((1UL << capabilities.PhysicalAddressBits) - 1) & ~0xFFFUL;

    /// <summary>SDM 3, "EPT Misconfigurations", for an entry that is present (E03, E23).</summary>
    private bool IsMisconfigured(int level, ulong entry)
    {
        bool read = (entry & 1) != 0;
        bool write = (entry & 2) != 0;
        bool execute = (entry & 4) != 0;

        // Writable but not readable.
        if (write && !read)
            return true;
        // Execute-only, where the processor does not support it.
        if (execute && !read && !write && !capabilities.HasExecuteOnlyEpt)
            return true;
        // Bits 51:M are reserved in every entry.
        if ((entry & ReservedAddressBits) != 0)
            return true;

        bool pageSizeBit = (entry & (1UL << 7)) != 0;
        switch (level)
        {
            case 4:
                // An EPT PML4E has bits 7:3 reserved.
                return (entry & 0xF8) != 0;
            case 3 when pageSizeBit:
                // A 1-GByte page: unsupported bit 7; bits 29:12 reserved; memory type.
                return !capabilities.HasPage1G || (entry & 0x3FFF_F000) != 0 || HasReservedMemoryType(entry);
            case 2 when pageSizeBit:
                // A 2-MByte page: bits 20:12 reserved; memory type.
                return (entry & 0x001F_F000) != 0 || HasReservedMemoryType(entry);
            case 3:
            case 2:
                // An entry that references a table has bits 6:3 reserved.
                return (entry & 0x78) != 0;
            case 1:
                // Bit 7 of an EPT PTE is ignored.
                return HasReservedMemoryType(entry);
            default:
                throw new ArgumentOutOfRangeException(nameof(level));
        }
    }

    // Memory types 2, 3 and 7 in bits 5:3 of an entry that maps a page.
    private static bool HasReservedMemoryType(ulong entry) => ((entry >> 3) & 7) is 2 or 3 or 7;

    // Bits 51:M.
    private ulong ReservedAddressBits => ((1UL << 52) - 1) & ~((1UL << capabilities.PhysicalAddressBits) - 1);
}
