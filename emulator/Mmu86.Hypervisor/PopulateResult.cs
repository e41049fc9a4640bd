namespace Mmu86.Hypervisor;

/// <summary>What became of a page that the guest needs.</summary>
public enum PopulateResult
{
    /// <summary>It is mapped.</summary>
    Mapped,

    /// <summary>There is no frame for it, or for a table on the way.</summary>
    NoFrame,

    /// <summary>Its bytes are in the page store: <see cref="GuestMemoryManager.BringIn"/> gets them.</summary>
    Swapped,

    /// <summary>It has its frame together with others, and a write was refused: <see cref="GuestMemoryManager.BringIn"/> gives it one of its own.</summary>
    SharedWrite,

    /// <summary>The page store gave bytes that are not those that it was given.</summary>
    Corrupt,

    /// <summary>The page store cannot be read.</summary>
    Unreadable,

    /// <summary>No table of four levels reaches the address.</summary>
    OutOfReach,
}
