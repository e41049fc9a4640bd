namespace Mmu86.GuestPrograms;

/// <summary>The variants in which a guest exists.</summary>
[Flags]
public enum GuestVariants
{
    /// <summary>None. No guest of the catalogue has it.</summary>
    None = 0,

    /// <summary>There is a ring-3 image.</summary>
    RingThree = 1,

    /// <summary>There is a ring-0 image.</summary>
    Bare = 2,

    /// <summary>There is a multiboot kernel.</summary>
    Multiboot = 4,
}
