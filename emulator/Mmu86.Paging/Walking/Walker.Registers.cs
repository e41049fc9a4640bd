using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>The load of the PDPTE registers.</content>
internal sealed unsafe partial class Walker
{
    // 32-byte-aligned, in the first 4 GiB.
    private const ulong PdpteTableMask = 0xFFFF_FFE0;

    /// <summary>Reads the four PDPTEs.</summary>
    /// <returns>False where EPT refused: see <see cref="Fault"/>.</returns>
    /// <remarks>With EPT's flags on it is a read all the same. No linear address is told with a violation. SDM 3, "EPT Violations".</remarks>
    public bool TryReadPdptes(ulong cr3, out PdpteRegisters registers)
    {
        registers = default;
        ulong table = cr3 & PdpteTableMask;
        if (_isNested)
        {
            if (!TryTranslateForRead(table, out ulong host))
                return false;
            table = host;
        }

        registers = new PdpteRegisters(
            ReadEntry<EightByteEntries, ArchitecturalWalk>(table),
            ReadEntry<EightByteEntries, ArchitecturalWalk>(table + 8),
            ReadEntry<EightByteEntries, ArchitecturalWalk>(table + 16),
            ReadEntry<EightByteEntries, ArchitecturalWalk>(table + 24));
        return true;
    }

    /// <summary>Records the reads of the load, and changes nothing.</summary>
    public void InspectPdptes(ulong cr3)
    {
        Begin();
        Recorder.Begin();
        ulong guest = cr3 & PdpteTableMask;
        ulong table = guest;
        if (_isNested)
        {
            if (!TryTranslateGuestPhysical<RecordedTableWalk>(guest, EptEntry.Read, EptViolationQualification.Read, out GuestPhysicalMapping mapping))
                return;
            table = mapping.Host;
        }

        for (ulong offset = 0; offset < 32; offset += 8)
            Recorder.Read(WalkDimension.Guest, 3, table + offset, new GuestPhysicalAddress(guest + offset), ReadEntry<EightByteEntries, TableWalk>(table + offset));
    }

    // AMD's nested paging: the PDPTE is read in each walk, as a nested write like every entry. APM 2, "Legacy PAE Mode" under nested paging.
    private bool TryReadPdpte<TWalk>(ulong address, AccessKind kind, AccessMode mode, out ulong pdpte)
        where TWalk : struct, IWalkKind
    {
        pdpte = 0;
        ulong guest = (_context.Cr3 & PdpteTableMask) | ((address >> 27) & 0x18);
        if (!TryLocateTable<GuestTables, TWalk>(_guest, guest & ~0xFFFUL, guest & 0xFFF, out ulong table))
            return false;
        ulong host = table + (guest & 0xFFF);
        pdpte = ReadEntry<EightByteEntries, TWalk>(host);
        GuestReferences++;
        if (TWalk.Notes)
            Note(host);
        if (TWalk.Records)
            Recorder.Read(WalkDimension.Guest, 3, host, new GuestPhysicalAddress(guest), pdpte);
        if (new PdpteRegisters(pdpte, 0, 0, 0).MayBeLoaded(_nested.PhysicalAddressBits))
            return true;
        FailPage(address, kind, mode, PageFaultErrorCode.Present | PageFaultErrorCode.Reserved);
        return false;
    }

    // A host in PAE paging: the PDPTE is read in each walk of nested tables (as for a guest; the manual says it of none). It has no rights.
    private bool TryWalkNestedPae<TWalk>(ulong address, ulong needed, EptViolationQualification access, out GuestPhysicalMapping mapping)
        where TWalk : struct, IWalkKind
    {
        mapping = default;
        if ((address & _beyondGuestPhysical) != 0)
            return FailBeyond<TWalk>(address, access);
        ulong host = NptPointer.PaeTable(_context.Eptp) + ((address >> 27) & 0x18);
        ulong pdpte = ReadEntry<EightByteEntries, TWalk>(host);
        EptReferences++;
        if (TWalk.Notes)
            Note(host);
        if (TWalk.Records)
            Recorder.Read(WalkDimension.Ept, 3, host, null, pdpte);
        if ((pdpte & PagingEntry.Present) == 0)
            return FailAbsent<TWalk>(address, access);
        if (!new PdpteRegisters(pdpte, 0, 0, 0).MayBeLoaded(_nested.PhysicalAddressBits))
            return FailMalformed<TWalk>(address, access);
        _ept->Root = pdpte & _addressMask;
        return TryWalkNested<NptPaging, TWalk>(address, needed, access, out mapping);
    }
}
