namespace Mmu86.Lab.Diagnostics;

/// <summary>One translation of one access of one instruction: a line of <c>inspect --json</c>, schema <c>mmu86.translation/1</c>. Addresses are <c>0x...</c>.</summary>
public sealed record TranslationRecord
{
    /// <summary>The schema's name.</summary>
    public const string SchemaName = "mmu86.translation/1";

    /// <summary>The schema of this object.</summary>
    public string Schema { get; init; } = SchemaName;

    /// <summary>Instructions that had retired before this one.</summary>
    public required long N { get; init; }

    /// <summary>The linear address of the instruction.</summary>
    public required string Rip { get; init; }

    /// <summary>The instruction's bytes in hex. Null where they could not be fetched.</summary>
    public string? Bytes { get; init; }

    /// <summary>The instruction as text. Null where its bytes could not be fetched.</summary>
    public string? Asm { get; init; }

    /// <summary>What the access was.</summary>
    public required AccessRecord Access { get; init; }

    /// <summary>The linear address.</summary>
    public required string Linear { get; init; }

    /// <summary><c>l1</c>, <c>l2</c> or <c>walk</c>. Null for an address that is not canonical.</summary>
    public string? Hit { get; init; }

    /// <summary>The steps of the walk; empty where a TLB answered.</summary>
    public required IReadOnlyList<WalkStepRecord> Walk { get; init; }

    /// <summary>Of an explanation: the entries on the way through the tables, where a TLB answers and none of them is read. Else null.</summary>
    public IReadOnlyList<WalkStepRecord>? Tables { get; init; }

    /// <summary>The guest's page size: <c>4k</c>, <c>2m</c> or <c>1g</c>.</summary>
    public string? GuestPageSize { get; init; }

    /// <summary>The EPT page size.</summary>
    public string? HostPageSize { get; init; }

    /// <summary>The size of the TLB entry that answered or was filled.</summary>
    public string? EntryPageSize { get; init; }

    /// <summary>The guest-physical address, where it is known.</summary>
    public string? GuestPhysical { get; init; }

    /// <summary>The host-physical address.</summary>
    public string? HostPhysical { get; init; }

    /// <summary>The memory type of the access: <c>WB</c>, <c>WT</c>, <c>WP</c>, <c>WC</c> or <c>UC</c>.</summary>
    public string? MemoryType { get; init; }

    /// <summary>The rights of all levels combined, in words.</summary>
    public IReadOnlyList<string>? Rights { get; init; }

    /// <summary>The fault that the guest takes.</summary>
    public FaultRecord? Fault { get; init; }

    /// <summary>The VM exit that the hypervisor takes.</summary>
    public ExitRecord? Exit { get; init; }
}
