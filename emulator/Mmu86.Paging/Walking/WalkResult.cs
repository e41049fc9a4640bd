using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What a walk found.</summary>
internal struct WalkResult
{
    /// <summary>The host-physical address of the linear address walked for.</summary>
    public ulong Host;

    /// <summary>Its guest-physical address; with native paging the same.</summary>
    public ulong GuestPhysical;

    /// <summary>The data word of a TLB entry, without the frame.</summary>
    public ulong Flags;

    /// <summary>The smaller of the guest's and the EPT page.</summary>
    public PageSize Size;

    /// <summary>How many pages around this one an entry may stand for: as many as are wanted at most, else 1. Not the walker's: whoever fills asks for it
    /// (<see cref="Walker.CountCoalesced"/>).</summary>
    public int Pages;

    /// <summary>Whether the guest's page is global and CR4.PGE=1.</summary>
    public bool IsGlobal;
}

/// <summary>What EPT says of one guest-physical address.</summary>
internal struct GuestPhysicalMapping
{
    /// <summary>The host-physical address.</summary>
    public ulong Host;

    /// <summary>The EPT entry that maps the page, with the rights of all levels in bits 2:0.</summary>
    public ulong Entry;

    /// <summary>The EPT page size.</summary>
    public PageSize Size;
}
