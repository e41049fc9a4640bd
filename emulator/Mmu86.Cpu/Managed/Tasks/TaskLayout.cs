namespace Mmu86.Cpu;

/// <summary>Where a TSS keeps the state of its task. SDM 3, "Task-State Segment (TSS)" and "16-Bit Task-State Segment (TSS)".</summary>
internal sealed class TaskLayout
{
    /// <summary>The 32-bit TSS.</summary>
    public static readonly TaskLayout Wide = new()
    {
        WordBytes = 4,
        Pointer = 0x20,
        Flags = 0x24,
        Registers = 0x28,
        Segments = 0x48,
        SegmentCount = 6,
        LocalTable = 0x60,
        MinimumLimit = 0x67,
    };

    /// <summary>The 16-bit TSS.</summary>
    public static readonly TaskLayout Narrow = new()
    {
        WordBytes = 2,
        Pointer = 0x0E,
        Flags = 0x10,
        Registers = 0x12,
        Segments = 0x22,
        SegmentCount = 4,
        LocalTable = 0x2A,
        MinimumLimit = 0x2B,
    };

    /// <summary>Offset of the selector of the task that this one is nested in, in either.</summary>
    public const int BackLink = 0;

    /// <summary>Offset of CR3, in a 32-bit TSS.</summary>
    public const int PagingRoot = 0x1C;

    /// <summary>Offset of the doubleword whose bit 0 is T, in a 32-bit TSS.</summary>
    public const int TrapFlag = 0x64;

    /// <summary>Bytes of a register.</summary>
    public required int WordBytes { get; init; }

    /// <summary>Offset of EIP: what is saved begins here.</summary>
    public required int Pointer { get; init; }

    public required int Flags { get; init; }

    /// <summary>Offset of EAX; the others follow in the order of their encoding.</summary>
    public required int Registers { get; init; }

    /// <summary>Offset of ES; the others follow in the order of their encoding.</summary>
    public required int Segments { get; init; }

    /// <summary>A 16-bit TSS has no FS and GS.</summary>
    public required int SegmentCount { get; init; }

    public required int LocalTable { get; init; }

    /// <summary>The limit that a TSS needs at least.</summary>
    public required uint MinimumLimit { get; init; }

    /// <summary>Bytes that are saved, from <see cref="Pointer"/> on.</summary>
    public int SavedBytes => Segments + (SegmentCount * WordBytes) - Pointer;

    /// <summary>The layout of a TSS.</summary>
    public static TaskLayout Of(SegmentRegister task) => TaskState.IsWide(task) ? Wide : Narrow;
}
