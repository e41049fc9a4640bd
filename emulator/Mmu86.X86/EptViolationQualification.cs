namespace Mmu86.X86;

/// <summary>The exit qualification of an EPT violation. SDM 3, "Exit Qualification for EPT Violations".</summary>
[Flags]
public enum EptViolationQualification : ulong
{
    None = 0,
    Read = 1UL << 0,

    /// <summary>The access was a write: also that of a read-modify-write instruction from the start, and of a flag in a guest table.</summary>
    Write = 1UL << 1,
    Fetch = 1UL << 2,
    GuestPhysicalReadable = 1UL << 3,
    GuestPhysicalWritable = 1UL << 4,

    /// <summary>Bit 2 of every entry; with mode-based execute control that is for supervisor-mode addresses.</summary>
    GuestPhysicalExecutable = 1UL << 5,

    /// <summary>Bit 10 of every entry, with mode-based execute control: for user-mode addresses.</summary>
    GuestPhysicalUserExecutable = 1UL << 6,
    LinearAddressValid = 1UL << 7,

    /// <summary>Set when the access was to the translation of the linear address itself, clear when it was to a guest table.</summary>
    FinalTranslation = 1UL << 8,

    /// <summary>The linear address is a user-mode address. This and the next two only with <see cref="FinalTranslation"/>, on processors that tell.</summary>
    UserModeAddress = 1UL << 9,

    /// <summary>The guest's tables permit writes.</summary>
    LinearAddressWritable = 1UL << 10,

    /// <summary>The guest's tables forbid fetches.</summary>
    LinearAddressExecuteDisable = 1UL << 11,

    /// <summary>The rights permit the access, but a guest table that led to the page lies where paging may not write. Bits 14:12 are for what is not offered.</summary>
    GuestPagingVerification = 1UL << 15,
}
