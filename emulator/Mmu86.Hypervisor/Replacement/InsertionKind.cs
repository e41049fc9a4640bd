namespace Mmu86.Hypervisor.Replacement;

/// <summary>Why a frame became resident.</summary>
public enum InsertionKind
{
    /// <summary>Its first touch: it had no content. The access that faulted will set its accessed flag.</summary>
    Populated,

    /// <summary>A touch of a frame that was swapped out. The access that faulted will set its accessed flag.</summary>
    SwappedIn,

    /// <summary>Read in beside another frame. Nobody has asked for it yet.</summary>
    ReadAhead,
}
