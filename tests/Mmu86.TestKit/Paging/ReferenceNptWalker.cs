using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Guest-physical to host-physical, as APM 2, "Nested Paging" says it.</summary>
/// <remarks>Ids such as N03 are rows of the project's conformance checklist.</remarks>
internal sealed class ReferenceNptWalker(IReferenceMemory memory, ReferenceCapabilities capabilities, ulong pointer) : IReferenceNestedWalker
{
    /// <inheritdoc/>
    /// <remarks>N03: always, but with read-only guest page tables (N11).</remarks>
    public bool TreatsTableAccessesAsWrites => (pointer & (1UL << 8)) == 0;

    /// <inheritdoc/>
    public ReferenceEptPage? Translate(WalkRecord record, GuestPhysicalAddress guestPhysical, EptViolationQualification cause, ReferenceLinearRights? final)
    {
        ulong gpa = guestPhysical.Value;
        bool isWrite = (cause & EptViolationQualification.Write) != 0;
        bool isFetch = (cause & EptViolationQualification.Fetch) != 0;
        bool isGuestUser = record.Access.Mode == AccessMode.User;
        // N11: the guest-mode execute trap looks at the guest's own mode, for the access itself.
        bool isTrapped = HasExecuteTrap && final is not null;
        bool isUser = !isTrapped || isGuestUser;

        // N01: hosts outside long mode have addresses of 32 bits.
        if (gpa >> (Levels < 4 ? 32 : (9 * Levels) + 12) != 0)
            return Fault(0);
        bool writable = true;
        bool user = true;
        bool executable = true;
        var used = new List<(HostPhysicalAddress Address, ulong Value)>();
        ulong table = IsPae ? (pointer & 0xFFFF_F000) | ((pointer >> 27) & 0xFE0) : pointer & AddressBits;
        for (int level = Levels; ; level--)
        {
            var address = new HostPhysicalAddress(IsBits32 ? table | (((gpa >> (2 + (10 * level))) & 0x3FF) << 2)
                : IsPae && level == 3 ? table + ((gpa >> 30) << 3)
                : table | (((gpa >> (3 + (9 * level))) & 0x1FF) << 3));
            ulong entry = IsBits32 ? ReadHalf(address) : memory.ReadEntry(address);
            record.Read(WalkDimension.Ept, level, address, entry);
            // N04: bit 0 clear where an entry is not present; N06: a reserved bit sets bits 0 and 3.
            if ((entry & 1) == 0)
                return Fault(0);
            if (IsPae && level == 3)
            {
                // The PDPTE of "PAE Paging": bits 2:1, 8:5 and those from M on reserved; it has neither rights nor flags.
                if ((entry & 0x1E6) != 0 || entry >> capabilities.PhysicalAddressBits != 0)
                    return Fault(1 | 8);
                table = entry & AddressBits;
                continue;
            }

            // P04: in 32-bit paging only with CR4.PSE=1.
            bool mapsPage = level == 1 || (level <= 3 && (entry & (1UL << 7)) != 0 && (!IsBits32 || (pointer & (1UL << 2)) != 0));
            if (HasReservedBit(level, entry, mapsPage))
                return Fault(1 | 8);
            used.Add((address, entry));
            record.AllowFlags(address, 1UL << 5);
            writable &= (entry & 2) != 0;
            user &= (entry & 4) != 0;
            executable &= entry >> 63 == 0;
            if (mapsPage)
                break;
            table = entry & AddressBits;
        }

        // N02: U/S=0 anywhere denies every access of a guest. N03, N04: W; XD.
        bool denied = (isUser && !user) || (isWrite && !writable) || (isFetch && !executable);
        if (isTrapped && isFetch && !isGuestUser && user)
            denied = true;
        if (denied)
            return Fault(1);

        foreach ((HostPhysicalAddress address, ulong value) in used)
            record.CallForFlags(WalkDimension.Ept, address, value, 1UL << 5);
        if (isWrite)
            record.CallForFlags(WalkDimension.Ept, used[^1].Address, used[^1].Value, 1UL << 6);
        int mapLevel = IsPae ? 3 - used.Count : Levels - used.Count + 1;
        var size = (PageSize)(IsPae ? 2 - used.Count : mapLevel - 1);
        ulong mapEntry = used[^1].Value;
        ulong frame = mapEntry & AddressBits & ~(size.Bytes() - 1);
        if (IsBits32 && size == PageSize.Size2M)
        {
            // P04: 4 MBytes, bits 31:22 and in bits 20:13 bits 39:32. It may be held in pieces of 2 MBytes (T11).
            frame = (mapEntry & 0xFFC0_0000) | (((mapEntry >> 13) & 0xFF) << 32) | (gpa & (1UL << 21));
        }

        ulong offset = gpa & (size.Bytes() - 1);
        return new ReferenceEptPage(new HostPhysicalAddress(frame | offset), size, writable ? 7UL : 5UL, mapEntry, used[^1].Address, writable);

        ReferenceEptPage? Fault(ulong cause)
        {
            record.Fail(Describe(record, guestPhysical, cause, final is not null, isUser, isWrite, isFetch));
            return null;
        }
    }

    /// <inheritdoc/>
    public TranslationFault DescribeRefusedUpdate(WalkRecord record, GuestPhysicalAddress guestPhysical, ReferenceEptPage page) =>
        Describe(record, guestPhysical, cause: 1, isFinal: false, isUser: true, isWrite: true, isFetch: false);

    /// <inheritdoc/>
    /// <remarks>
    /// A write of the page: without read-only guest page tables its dirty flag was called for when the entry was read. With them the write is an access of
    /// its own, and the manual says nothing of what is read again for it.
    /// </remarks>
    public void NoteUpdate(WalkRecord record, ReferenceEptPage page)
    {
        if (TreatsTableAccessesAsWrites)
            return;
        record.CallForFlags(WalkDimension.Ept, page.EntryAddress, page.Entry, 1UL << 6);
        record.AreReferencesOpen = true;
    }

    private TranslationFault Describe(
        WalkRecord record, GuestPhysicalAddress guestPhysical, ulong cause, bool isFinal, bool isUser, bool isWrite, bool isFetch)
    {
        ulong code = cause | (isFinal ? 1UL << 32 : 1UL << 33);
        if (isUser)
            code |= 1UL << 2;
        if (isWrite)
            code |= 1UL << 1;
        // N05: the host's NXE or SMEP.
        if (isFetch && (HasNoExecute || (pointer & (1UL << 6)) != 0))
            code |= 1UL << 4;
        return new TranslationFault
        {
            Failure = TranslationFailure.NestedPageFault,
            Linear = record.Access.Linear,
            GuestPhysical = guestPhysical,
            NestedErrorCode = (NestedPageFaultErrorCode)code,
        };
    }

    private ulong ReadHalf(HostPhysicalAddress address)
    {
        ulong both = memory.ReadEntry(new HostPhysicalAddress(address.Value & ~7UL));
        return (address.Value & 4) == 0 ? both & 0xFFFF_FFFF : both >> 32;
    }

    // N01: a host in 32-bit or PAE paging.
    private bool IsBits32 => Levels == 2;

    private bool IsPae => Levels == 3;

    // The word that stands for nCR3 and the host's state: see NptPointer.
    private int Levels => (int)((pointer >> 3) & 7) + 1;

    private bool HasNoExecute => (pointer & (1UL << 1)) != 0;

    private bool HasExecuteTrap => (pointer & (1UL << 7)) != 0;

    private ulong AddressBits => ((1UL << capabilities.PhysicalAddressBits) - 1) & ~0xFFFUL;

    // APM 2, "Long-Mode Page Translation" and "Legacy-Mode Page Translation".
    private bool HasReservedBit(int level, ulong entry, bool mapsPage)
    {
        // A 4-MByte page reserves what lies between the address bits that the processor has and bit 21.
        if (IsBits32)
            return level == 2 && mapsPage && (entry & 0x003F_FFFF & ~((1UL << (Math.Min(40, capabilities.PhysicalAddressBits) - 19)) - 1)) != 0;
        if (IsPae && (entry & 0x7FF0_0000_0000_0000) != 0)
            return true;
        if ((entry & ((1UL << 52) - 1) & ~((1UL << capabilities.PhysicalAddressBits) - 1)) != 0)
            return true;
        if (entry >> 63 != 0 && !HasNoExecute)
            return true;
        return level switch
        {
            // Bits 8:7 of a PML5E or PML4E must be zero.
            5 or 4 => (entry & 0x180) != 0,
            3 when mapsPage => !capabilities.HasEptPage1G || (entry & 0x3FFF_E000) != 0,
            2 when mapsPage => !capabilities.HasEptPage2M || (entry & 0x001F_E000) != 0,
            _ => false,
        };
    }
}
