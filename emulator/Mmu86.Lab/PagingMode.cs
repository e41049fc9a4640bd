namespace Mmu86.Lab;

/// <summary>What lies below the guest's page tables.</summary>
public enum PagingMode
{
    /// <summary>Nothing: guest-physical is host-physical.</summary>
    Native,

    /// <summary>EPT.</summary>
    Nested,

    /// <summary>A shadow table kept by the hypervisor.</summary>
    Shadow,
}
