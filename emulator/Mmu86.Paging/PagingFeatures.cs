using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What CPUID says of the formats of paging-structure entries. What control registers turn on and off is in <see cref="PagingContext"/>.</summary>
/// <param name="PhysicalAddressBits">MAXPHYADDR, 36 to 52.</param>
/// <param name="HasPage1G">Whether a PDPTE with PS=1 maps a 1 GiB page; otherwise that bit is reserved.</param>
/// <param name="HasPse36">Whether a 4 MiB page of 32-bit paging may lie above 4 GiB; otherwise its bits 21:13 are reserved.</param>
/// <param name="ReservesBit8AbovePdpte">AMD: bit 8 of PML4 and PML5 entries is reserved. Intel ignores it.</param>
internal sealed record PagingFeatures(int PhysicalAddressBits, bool HasPage1G, bool HasPse36, bool ReservesBit8AbovePdpte)
{
    /// <summary>The largest page of 4-level and 5-level paging and of EPT.</summary>
    public PageSize LargestPage => HasPage1G ? PageSize.Size1G : PageSize.Size2M;
}
