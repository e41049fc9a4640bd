namespace Mmu86.Hypervisor;

/// <summary>What a frame of a guest is. Each is in exactly one of these, and its entry in the nested tables says which.</summary>
public enum GuestFrameState
{
    /// <summary>Never touched, or wholly given up: it reads as zeros and has no frame of the host.</summary>
    Unpopulated,

    /// <summary>It has a frame of the host.</summary>
    Resident,

    /// <summary>It has a frame of the host together with others of equal content, and cannot write to it.</summary>
    Shared,

    /// <summary>Its bytes are in the page store.</summary>
    Swapped,

    /// <summary>The guest gave it to its balloon: it has no frame of the host and no bytes.</summary>
    Ballooned,
}
