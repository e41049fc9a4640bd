using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>SDM 3, "Sub-Page Write Permissions" (E19): four levels of tables, the last of vectors.</summary>
internal sealed class ReferenceSubPages(IReferenceMemory memory, ReferenceCapabilities capabilities, HostPhysicalAddress root)
{
    /// <summary>What the tables say.</summary>
    public enum Verdict
    {
        Permitted,

        /// <summary>The sub-page is not writable: an EPT violation.</summary>
        Denied,

        /// <summary>An SPP miss or misconfiguration, which the record has.</summary>
        Event,
    }

    /// <summary>Judges a write.</summary>
    public Verdict Judge(WalkRecord record, GuestPhysicalAddress guestPhysical)
    {
        ulong gpa = guestPhysical.Value;
        ulong width = (1UL << capabilities.PhysicalAddressBits) - 1;
        ulong table = root.Value;
        for (int level = 4; level >= 2; level--)
        {
            ulong entry = Read(level, table);
            // Bit 0: present.
            if ((entry & 1) == 0)
                return Event(TranslationFailure.SubPageMiss);
            // Bits 11:1, 51:M and 63:52 are reserved.
            if ((entry & 0xFFE) != 0 || entry >> 52 != 0 || (entry & ~width) != 0)
                return Event(TranslationFailure.SubPageMisconfiguration);
            table = entry & width & ~0xFFFUL;
        }

        ulong vector = Read(1, table);
        for (int bit = 1; bit < 64; bit += 2)
        {
            if (((vector >> bit) & 1) != 0)
                return Event(TranslationFailure.SubPageMisconfiguration);
        }

        // Bit 2n is for the n-th sub-page of 128 bytes.
        int subPage = (int)((gpa & 0xFFF) / 128);
        return ((vector >> (2 * subPage)) & 1) != 0 ? Verdict.Permitted : Verdict.Denied;

        ulong Read(int level, ulong address)
        {
            var host = new HostPhysicalAddress(address + (((gpa >> (3 + (9 * level))) & 0x1FF) * 8));
            ulong value = memory.ReadEntry(host);
            record.Read(WalkDimension.Ept, level, host, value);
            return value;
        }

        Verdict Event(TranslationFailure failure)
        {
            record.Fail(new TranslationFault { Failure = failure, Linear = record.Access.Linear, GuestPhysical = guestPhysical });
            return Verdict.Event;
        }
    }
}
