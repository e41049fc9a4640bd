namespace Mmu86.Loaders.Processes;

/// <summary>The types of the auxiliary vector that a process gets. System V ABI, AMD64 supplement, "Process Initialization".</summary>
public enum AuxiliaryType : ulong
{
    /// <summary>AT_NULL: the end.</summary>
    Null = 0,

    /// <summary>AT_PHDR: the linear address of the program headers.</summary>
    ProgramHeaders = 3,

    /// <summary>AT_PHENT: bytes of a program header.</summary>
    ProgramHeaderBytes = 4,

    /// <summary>AT_PHNUM: how many program headers.</summary>
    ProgramHeaderCount = 5,

    /// <summary>AT_PAGESZ: the granularity of mappings in bytes.</summary>
    PageBytes = 6,

    /// <summary>AT_BASE: where the dynamic linker is; 0 without one.</summary>
    InterpreterBase = 7,

    /// <summary>AT_FLAGS.</summary>
    Flags = 8,

    /// <summary>AT_ENTRY: the entry of the program.</summary>
    Entry = 9,

    /// <summary>AT_UID.</summary>
    UserId = 11,

    /// <summary>AT_EUID.</summary>
    EffectiveUserId = 12,

    /// <summary>AT_GID.</summary>
    GroupId = 13,

    /// <summary>AT_EGID.</summary>
    EffectiveGroupId = 14,

    /// <summary>AT_PLATFORM: the address of a string that names the processor.</summary>
    Platform = 15,

    /// <summary>AT_HWCAP: EDX of CPUID leaf 1.</summary>
    HardwareCapabilities = 16,

    /// <summary>AT_CLKTCK: ticks a second of times().</summary>
    ClockTicks = 17,

    /// <summary>AT_SECURE: whether the program runs with rights that its caller lacks.</summary>
    Secure = 23,

    /// <summary>AT_RANDOM: the address of 16 random bytes.</summary>
    Random = 25,

    /// <summary>AT_EXECFN: the address of the path by which the program was started.</summary>
    ExecutablePath = 31,
}
