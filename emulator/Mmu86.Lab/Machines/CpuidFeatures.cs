namespace Mmu86.Lab.Machines;

/// <summary>The features that the emulated processor can have. A feature is listed here when its instructions and rules exist.</summary>
public static class CpuidFeatures
{
    private const uint ExtendedLeaf = 0x8000_0001;

    /// <summary>All of them, by leaf, register and bit.</summary>
    public static IReadOnlyList<CpuidFeature> All { get; } =
    [
        new("cx16", 1, CpuidRegister.Ecx, 13),
        new("pcid", 1, CpuidRegister.Ecx, 17),
        new("popcnt", 1, CpuidRegister.Ecx, 23),
        new("pse", 1, CpuidRegister.Edx, 3),
        new("tsc", 1, CpuidRegister.Edx, 4),
        new("msr", 1, CpuidRegister.Edx, 5),
        new("pae", 1, CpuidRegister.Edx, 6),
        new("cx8", 1, CpuidRegister.Edx, 8),
        new("sep", 1, CpuidRegister.Edx, 11),
        new("pge", 1, CpuidRegister.Edx, 13),
        new("cmov", 1, CpuidRegister.Edx, 15),
        new("pse36", 1, CpuidRegister.Edx, 17),
        new("clflush", 1, CpuidRegister.Edx, 19),
        new("fsgsbase", 7, CpuidRegister.Ebx, 0),
        new("smep", 7, CpuidRegister.Ebx, 7),
        new("invpcid", 7, CpuidRegister.Ebx, 10),
        new("smap", 7, CpuidRegister.Ebx, 20),
        new("lahf_lm", ExtendedLeaf, CpuidRegister.Ecx, 0),
        new("syscall", ExtendedLeaf, CpuidRegister.Edx, 11),
        new("nx", ExtendedLeaf, CpuidRegister.Edx, 20),
        new("pdpe1gb", ExtendedLeaf, CpuidRegister.Edx, 26),
        new("rdtscp", ExtendedLeaf, CpuidRegister.Edx, 27),
        new("lm", ExtendedLeaf, CpuidRegister.Edx, 29),
    ];

    /// <summary>Features without which 64-bit mode with 4-level paging cannot be.</summary>
    public static IReadOnlyList<string> Required { get; } = ["msr", "pae", "lm"];
}
