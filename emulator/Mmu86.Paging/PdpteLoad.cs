namespace Mmu86.Paging;

/// <summary>How a load of the PDPTE registers ended.</summary>
public enum PdpteLoad
{
    /// <summary>All four were read.</summary>
    Loaded,

    /// <summary>A present entry has a reserved bit: #GP(0).</summary>
    Reserved,

    /// <summary>EPT refused the read: a VM exit, see <see cref="IMmu.Fault"/>.</summary>
    Refused,
}
