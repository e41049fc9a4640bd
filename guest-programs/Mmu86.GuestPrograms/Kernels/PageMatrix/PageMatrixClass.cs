namespace Mmu86.GuestPrograms;

/// <summary>What the cases of a group are about.</summary>
internal enum PageMatrixClass
{
    /// <summary>Explicit accesses; no entry has a reserved bit.</summary>
    Rights,

    /// <summary>Loads of a segment register from an LDT in the page: supervisor-mode accesses at any CPL.</summary>
    Implicit,

    /// <summary>Explicit accesses; the varied entry has a bit that the manual reserves in every processor, or XD while NXE is 0.</summary>
    Reserved,

    /// <summary>Explicit accesses; the varied entry has an address bit at or above MAXPHYADDR.</summary>
    Width,
}
