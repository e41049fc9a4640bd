using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>What IA-32e mode asks of a linear address before paging: SDM 3, "Linear-Address-Space Separation (LASS)" and "Linear-Address Masking (LAM)".</summary>
internal static class ReferenceLinearAddress
{
    /// <summary>Whether the access may use the address at all (P03, P14, P15, R10).</summary>
    public static bool MayBeUsed(in PagingContext context, ReferenceAccess access)
    {
        ulong linear = access.Linear.Value;
        bool upper = Bit(linear, 63);
        if ((context.Cr4 & Cr4.LinearAddressSpaceSeparation) != 0)
        {
            bool user = access.Mode == AccessMode.User;
            bool smap = (context.Cr4 & Cr4.Smap) != 0;
            if (user && upper)
                return false;
            if (!user && !upper && access.Kind == AccessKind.Fetch)
                return false;
            if (!user && !upper && access.Kind != AccessKind.Fetch && smap && access.Mode != AccessMode.SupervisorWithAc)
                return false;
        }

        // P03: bits 63:47 all equal; with 57-bit addresses bits 63:56.
        ulong used = WithoutMetadata(context, access);
        int highest = HighestBit(context);
        for (int bit = highest; bit < 63; bit++)
        {
            if (Bit(used, bit) != Bit(used, 63))
                return false;
        }

        return true;
    }

    /// <summary>The address that paging sees (P15): each bit of metadata replaced by the highest bit that is none. Bit 63 stays.</summary>
    public static ulong WithoutMetadata(in PagingContext context, ReferenceAccess access)
    {
        ulong linear = access.Linear.Value;
        if (access.Kind == AccessKind.Fetch)
            return linear;
        int highest = 63;
        if (Bit(linear, 63))
        {
            if ((context.Cr4 & Cr4.LinearAddressMaskingSupervisor) != 0)
                highest = HighestBit(context);
        }
        else if (Bit(context.Cr3, 61))
        {
            highest = 56;
        }
        else if (Bit(context.Cr3, 62))
        {
            highest = 47;
        }

        for (int bit = highest + 1; bit <= 62; bit++)
            linear = Bit(linear, highest) ? linear | (1UL << bit) : linear & ~(1UL << bit);
        return linear;
    }

    private static int HighestBit(in PagingContext context) => (context.Cr4 & Cr4.LinearAddress57) != 0 ? 56 : 47;

    private static bool Bit(ulong value, int bit) => ((value >> bit) & 1) != 0;
}
