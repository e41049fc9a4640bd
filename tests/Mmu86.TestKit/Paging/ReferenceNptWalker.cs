using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Guest-physical to host-physical, as APM 2, "Nested Paging" says it, for a host in long mode.</summary>
/// <remarks>Ids such as N03 are rows of the project's conformance checklist.</remarks>
internal sealed class ReferenceNptWalker(IReferenceMemory memory, ReferenceCapabilities capabilities, ulong pointer) : IReferenceNestedWalker
{
    /// <inheritdoc/>
    /// <remarks>N03: always.</remarks>
    public bool TreatsTableAccessesAsWrites => true;

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

        if (gpa >> ((9 * Levels) + 12) != 0)
            return Fault(0);
        bool writable = true;
        bool user = true;
        bool executable = true;
        var used = new List<(HostPhysicalAddress Address, ulong Value)>();
        ulong table = pointer & AddressBits;
        for (int level = Levels; ; level--)
        {
            var address = new HostPhysicalAddress(table | (((gpa >> (3 + (9 * level))) & 0x1FF) << 3));
            ulong entry = memory.ReadEntry(address);
            record.Read(WalkDimension.Ept, level, address, entry);
            // N04: bit 0 clear where an entry is not present; N06: a reserved bit sets bits 0 and 3.
            if ((entry & 1) == 0)
                return Fault(0);
            bool mapsPage = level == 1 || (level <= 3 && (entry & (1UL << 7)) != 0);
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
        var size = (PageSize)(Levels - used.Count);
        ulong offset = gpa & (size.Bytes() - 1);
        return new ReferenceEptPage(new HostPhysicalAddress((used[^1].Value & AddressBits & ~(size.Bytes() - 1)) | offset), size, Rights: 7, used[^1].Value);

        ReferenceEptPage? Fault(ulong cause)
        {
            ulong code = cause | (final is null ? 1UL << 33 : 1UL << 32);
            if (isUser)
                code |= 1UL << 2;
            if (isWrite)
                code |= 1UL << 1;
            // N05: the host's NXE or SMEP.
            if (isFetch && (HasNoExecute || (pointer & (1UL << 6)) != 0))
                code |= 1UL << 4;
            record.Fail(new TranslationFault
            {
                Failure = TranslationFailure.NestedPageFault,
                Linear = record.Access.Linear,
                GuestPhysical = guestPhysical,
                NestedErrorCode = (NestedPageFaultErrorCode)code,
            });
            return null;
        }
    }

    // The word that stands for nCR3 and the host's state: see NptPointer.
    private int Levels => (int)((pointer >> 3) & 7) + 1;

    private bool HasNoExecute => (pointer & (1UL << 1)) != 0;

    private bool HasExecuteTrap => (pointer & (1UL << 7)) != 0;

    private ulong AddressBits => ((1UL << capabilities.PhysicalAddressBits) - 1) & ~0xFFFUL;

    // APM 2, "Long-Mode Page Translation".
    private bool HasReservedBit(int level, ulong entry, bool mapsPage)
    {
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
