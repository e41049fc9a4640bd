using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Where a legal access goes.</summary>
/// <param name="Address">The host-physical address.</param>
/// <param name="GuestPhysical">The guest-physical address; the same number without EPT.</param>
/// <param name="GuestPageSize">The page that the guest's tables map; absent while CR0.PG=0.</param>
/// <param name="EptPageSize">The page that EPT maps for the final address; absent without EPT.</param>
public readonly record struct ReferenceTranslation(
    HostPhysicalAddress Address,
    GuestPhysicalAddress GuestPhysical,
    PageSize? GuestPageSize,
    PageSize? EptPageSize)
{
    /// <summary>The smaller of the two page sizes, where one of 4 MiB counts as 2 MiB (T11: it may be cached as smaller entries); absent where there is neither.</summary>
    public PageSize? EntryPageSize => HeldGuestPageSize is { } guest && EptPageSize is { } ept
        ? (PageSize)Math.Min((byte)guest, (byte)ept)
        : HeldGuestPageSize ?? EptPageSize;

    private PageSize? HeldGuestPageSize => GuestPageSize == PageSize.Size4M ? PageSize.Size2M : GuestPageSize;

    /// <inheritdoc/>
    public override string ToString() => $"{Address} via {GuestPhysical}, guest page {GuestPageSize}, EPT page {EptPageSize}";
}
