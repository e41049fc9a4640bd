namespace Mmu86.Lab.Machines;

/// <summary>The features that the emulated processor can have. A feature is listed here when its instructions and rules exist.</summary>
public static class CpuidFeatures
{
    private const uint ExtendedLeaf = 0x8000_0001;

    /// <summary>All of them, by leaf, register and bit.</summary>
    public static IReadOnlyList<CpuidFeature> All { get; } =
    [
        new("monitor", 1, 0, CpuidRegister.Ecx, 3),
        new("cx16", 1, 0, CpuidRegister.Ecx, 13),
        new("pcid", 1, 0, CpuidRegister.Ecx, 17),
        new("popcnt", 1, 0, CpuidRegister.Ecx, 23),
        new("vme", 1, 0, CpuidRegister.Edx, 1),
        new("de", 1, 0, CpuidRegister.Edx, 2),
        new("pse", 1, 0, CpuidRegister.Edx, 3),
        new("tsc", 1, 0, CpuidRegister.Edx, 4),
        new("msr", 1, 0, CpuidRegister.Edx, 5),
        new("pae", 1, 0, CpuidRegister.Edx, 6),
        new("cx8", 1, 0, CpuidRegister.Edx, 8),
        new("sep", 1, 0, CpuidRegister.Edx, 11),
        new("mtrr", 1, 0, CpuidRegister.Edx, 12),
        new("pge", 1, 0, CpuidRegister.Edx, 13),
        new("cmov", 1, 0, CpuidRegister.Edx, 15),
        new("pat", 1, 0, CpuidRegister.Edx, 16),
        new("pse36", 1, 0, CpuidRegister.Edx, 17),
        new("clflush", 1, 0, CpuidRegister.Edx, 19),
        new("fsgsbase", 7, 0, CpuidRegister.Ebx, 0),
        new("smep", 7, 0, CpuidRegister.Ebx, 7),
        new("invpcid", 7, 0, CpuidRegister.Ebx, 10),
        new("smap", 7, 0, CpuidRegister.Ebx, 20),
        new("clflushopt", 7, 0, CpuidRegister.Ebx, 23),
        new("clwb", 7, 0, CpuidRegister.Ebx, 24),
        new("umip", 7, 0, CpuidRegister.Ecx, 2),
        new("pku", 7, 0, CpuidRegister.Ecx, 3),
        new("la57", 7, 0, CpuidRegister.Ecx, 16),
        new("pks", 7, 0, CpuidRegister.Ecx, 31),
        new("lass", 7, 1, CpuidRegister.Eax, 6),
        new("lam", 7, 1, CpuidRegister.Eax, 26),
        new("lahf_lm", ExtendedLeaf, 0, CpuidRegister.Ecx, 0),
        new("3dnowprefetch", ExtendedLeaf, 0, CpuidRegister.Ecx, 8),
        new("syscall", ExtendedLeaf, 0, CpuidRegister.Edx, 11),
        new("nx", ExtendedLeaf, 0, CpuidRegister.Edx, 20),
        new("pdpe1gb", ExtendedLeaf, 0, CpuidRegister.Edx, 26),
        new("rdtscp", ExtendedLeaf, 0, CpuidRegister.Edx, 27),
        new("lm", ExtendedLeaf, 0, CpuidRegister.Edx, 29),
        new("invlpgb", MachineCpuid.AddressSizeLeaf, 0, CpuidRegister.Ebx, 3),
    ];

    /// <summary>Features without which 64-bit mode with 4-level paging cannot be.</summary>
    public static IReadOnlyList<string> Required { get; } = ["msr", "pae", "lm"];
}
