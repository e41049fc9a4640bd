using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <content>The walks of the four paging modes, and the formats of their entries.</content>
public sealed partial class ReferenceWalker
{
    // "Ordinary Paging and HLAT Paging" (E22).
    private void WalkLongMode(WalkRecord record)
    {
        if (!_capabilities.HasNpt && _context.IsNested && _context.Nested?.HlatPointer is { } hlatPointer)
        {
            // With prefix size 0 every address, else those with bit 63 set.
            if (_context.Nested.HlatPrefixSize == 0 || record.Access.Linear.Value >> 63 == 1)
            {
                record.IsHlat = true;
                WalkFromTop(record, hlatPointer);
                record.IsHlat = false;
                if (record.RestartLevel is null)
                    return;

                // "The restarted translation proceeds just as if the HLAT feature were not enabled."
                record.AreTablesVerified = true;
            }
        }

        WalkFromTop(record, _context.Cr3);
    }

    private void WalkFromTop(WalkRecord record, ulong pointer)
    {
        if ((_context.Cr4 & Cr4.LinearAddress57) == 0)
            WalkFourLevels(record, [], pointer);
        else
            WalkFiveLevels(record, pointer);
    }

    // "5-Level Paging". The PML5 table is at bits 51:12 of CR3; the PML5E is selected by bits 56:48 (P14).
    private void WalkFiveLevels(WalkRecord record, ulong pml5Pointer)
    {
        if (Use(record, 5, pml5Pointer, (record.Access.Linear.Value >> 48) & 0x1FF) is not { } pml5e)
            return;
        CallForFlags(record, pml5e, Accessed);
        WalkFourLevels(record, [pml5e], pml5e.Value);
    }

    // "4-Level Paging". The PML4 table is at bits 51:12 of CR3 (P12); the PML4E is selected by bits 47:39.
    private void WalkFourLevels(WalkRecord record, ReadOnlySpan<GuestEntry> above, ulong pml4Pointer)
    {
        ulong linear = record.Access.Linear.Value;
        if (Use(record, 4, pml4Pointer, (linear >> 39) & 0x1FF) is not { } pml4e)
            return;
        CallForFlags(record, pml4e, Accessed);

        // The PDPTE is selected by bits 38:30. PS=1 maps a 1-GByte page.
        if (Use(record, 3, pml4e.Value, (linear >> 30) & 0x1FF) is not { } pdpte)
            return;
        if ((pdpte.Value & PageSizeBit) != 0)
        {
            JudgeRights(record, pdpte, PageSize.Size1G, [.. above, pml4e, pdpte]);
            return;
        }

        CallForFlags(record, pdpte, Accessed);
        WalkDirectory(record, [.. above, pml4e, pdpte], pdpte.Value);
    }

    // "PAE Paging". The PDPTE register is selected by bits 31:30. It has neither R/W, U/S, XD nor A (P06).
    private void WalkPae(WalkRecord record)
    {
        if (_ept is not null && _capabilities.HasNpt)
        {
            if (ReadNestedPdpte(record) is { } read)
                WalkDirectory(record, [], read);
            return;
        }

        ulong pdpte = (record.Access.Linear.Value >> 30) switch
        {
            0 => _context.Pdptes.First,
            1 => _context.Pdptes.Second,
            2 => _context.Pdptes.Third,
            3 => _context.Pdptes.Fourth,
            _ => throw new InvalidOperationException("A linear address of 32 bits."),
        };

        // P05: a register with P=0 may have been loaded; using it is a page fault.
        if ((pdpte & Present) == 0)
        {
            PageFault(record, PageFaultErrorCode.None);
            return;
        }

        WalkDirectory(record, [], pdpte);
    }

    // N07: with AMD's nested paging each walk reads the PDPTE, selected by bits 31:30, as a nested write; a reserved bit is a page fault.
    private ulong? ReadNestedPdpte(WalkRecord record)
    {
        const ulong Reserved = (3UL << 1) | (15UL << 5);
        var guest = new GuestPhysicalAddress((_context.Cr3 & 0xFFFF_FFE0) + ((record.Access.Linear.Value >> 30) * 8));
        EptViolationQualification cause = _ept!.TreatsTableAccessesAsWrites
            ? EptViolationQualification.Read | EptViolationQualification.Write
            : EptViolationQualification.Read;
        if (_ept.Translate(record, guest, cause, final: null) is not { } page)
            return null;
        ulong pdpte = _memory.ReadEntry(page.Address);
        record.Read(WalkDimension.Guest, 3, page.Address, pdpte);
        bool isBad = (pdpte & Reserved) != 0 || pdpte >> _capabilities.PhysicalAddressBits != 0;
        if ((pdpte & Present) != 0 && !isBad)
            return pdpte;
        PageFault(record, (pdpte & Present) == 0 ? PageFaultErrorCode.None : PageFaultErrorCode.Present | PageFaultErrorCode.Reserved);
        return null;
    }

    // PAE, 4-level and 5-level paging. The PDE is selected by bits 29:21. PS=1 maps a 2-MByte page.
    private void WalkDirectory(WalkRecord record, ReadOnlySpan<GuestEntry> above, ulong directoryPointer)
    {
        ulong linear = record.Access.Linear.Value;
        if (Use(record, 2, directoryPointer, (linear >> 21) & 0x1FF) is not { } pde)
            return;
        if ((pde.Value & PageSizeBit) != 0)
        {
            JudgeRights(record, pde, PageSize.Size2M, [.. above, pde]);
            return;
        }

        CallForFlags(record, pde, Accessed);

        // The PTE is selected by bits 20:12 and maps a 4-KByte page.
        if (Use(record, 1, pde.Value, (linear >> 12) & 0x1FF) is { } pte)
            JudgeRights(record, pte, PageSize.Size4K, [.. above, pde, pte]);
    }

    // "32-Bit Paging". The page directory is at bits 31:12 of CR3 (P12); the PDE is selected by bits 31:22, of four bytes each.
    private void Walk32Bit(WalkRecord record)
    {
        ulong linear = record.Access.Linear.Value;
        if (Use32(record, 2, _context.Cr3, linear >> 22) is not { } pde)
            return;

        // PS=1 maps a 4-MByte page, only with CR4.PSE=1 (P04).
        if ((pde.Value & PageSizeBit) != 0 && (_context.Cr4 & Cr4.PageSizeExtensions) != 0)
        {
            JudgeRights(record, pde, PageSize.Size4M, [pde]);
            return;
        }

        CallForFlags(record, pde, Accessed);

        // The PTE is selected by bits 21:12.
        if (Use32(record, 1, pde.Value, (linear >> 12) & 0x3FF) is { } pte)
            JudgeRights(record, pte, PageSize.Size4K, [pde, pte]);
    }

    private GuestEntry? Use(WalkRecord record, int level, ulong pointer, ulong index) =>
        UseGuestEntry(record, level, new GuestPhysicalAddress((pointer & AddressBits) | (index << 3)), sizeInBytes: 8);

    private GuestEntry? Use32(WalkRecord record, int level, ulong pointer, ulong index) =>
        UseGuestEntry(record, level, new GuestPhysicalAddress((pointer & 0xFFFF_F000) | (index << 2)), sizeInBytes: 4);

    // The formats of "PAE Paging" and "4-Level Paging and 5-Level Paging" (P07 to P09, P13).
    private bool HasReservedBit(int level, ulong value)
    {
        // Bits 51:M in every entry.
        if ((value & ((1UL << 52) - 1) & ~((1UL << _capabilities.PhysicalAddressBits) - 1)) != 0)
            return true;
        // Bits 62:52 in PAE paging only.
        if (!LongMode && (value & 0x7FF0_0000_0000_0000) != 0)
            return true;
        // Bit 63 while IA32_EFER.NXE=0.
        if ((value & ExecuteDisable) != 0 && (_context.Efer & Efer.NoExecuteEnable) == 0)
            return true;
        // Bit 8 of a PML4E or PML5E: AMD reserves it, Intel ignores it.
        if (level >= 4 && _capabilities.ReservesBit8AbovePdpte && (value & (1UL << 8)) != 0)
            return true;

        bool pageSizeBit = (value & PageSizeBit) != 0;
        return level switch
        {
            // PS of a PML5E or PML4E.
            5 or 4 => pageSizeBit,
            // PS of a PDPTE without 1-GByte pages; bits 29:13 of one that maps a page (bit 12 is PAT).
            3 => pageSizeBit && (!_capabilities.HasPage1G || (value & 0x3FFF_E000) != 0),
            // Bits 20:13 of a PDE that maps a page (bit 12 is PAT).
            2 => pageSizeBit && (value & 0x001F_E000) != 0,
            // Bit 7 of a PTE is PAT.
            1 => false,
            _ => throw new ArgumentOutOfRangeException(nameof(level)),
        };
    }

    // The format of "32-Bit Paging" (P04): only a PDE that maps a 4-MByte page has reserved bits.
    private bool HasReservedBit32(int level, ulong value)
    {
        if (level != 2 || (value & PageSizeBit) == 0 || (_context.Cr4 & Cr4.PageSizeExtensions) == 0)
            return false;
        // Without PSE-36 bits 21:13.
        if (!_capabilities.HasPse36)
            return (value & 0x003F_E000) != 0;
        // With it bits 21:(M-19), where M is the minimum of 40 and MAXPHYADDR.
        int m = Math.Min(40, _capabilities.PhysicalAddressBits);
        for (int bit = m - 19; bit <= 21; bit++)
        {
            if ((value & (1UL << bit)) != 0)
                return true;
        }

        return false;
    }
}
