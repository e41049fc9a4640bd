namespace Mmu86.Loaders.Processes;

/// <summary>How a change of an address space ended.</summary>
public enum AddressSpaceResult
{
    /// <summary>It was made.</summary>
    Done,

    /// <summary>The range is empty, unaligned or not a process's: EINVAL. Nothing changed.</summary>
    BadRange,

    /// <summary>Frames, addresses or regions do not suffice, or a part that must be mapped is not: ENOMEM. Nothing changed.</summary>
    NoMemory,
}
