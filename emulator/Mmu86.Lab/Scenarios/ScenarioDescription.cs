namespace Mmu86.Lab.Scenarios;

/// <summary>A scenario file as it is written (<c>mmu86.scenario/1</c>). Sizes are texts such as <c>64M</c>, times virtual nanoseconds.</summary>
internal sealed record ScenarioDescription
{
    /// <summary><see cref="ScenarioJson.SchemaName"/>.</summary>
    public required string Schema { get; init; }

    /// <summary>What it shows, in a line.</summary>
    public string? Description { get; init; }

    /// <summary>RAM of the host.</summary>
    public required string HostMemory { get; init; }

    /// <summary>Where pages go that have no frame; absent where they go nowhere.</summary>
    public SwapDescription? Swap { get; init; }

    /// <summary>Who gives way.</summary>
    public PolicyDescription? Policy { get; init; }

    /// <summary>The machines.</summary>
    public required IReadOnlyList<ScenarioMachineDescription> Machines { get; init; }

    /// <summary>Machines that move to another host while they run.</summary>
    public IReadOnlyList<MigrationDescription>? Migrations { get; init; }

    /// <summary>When it is over at the latest.</summary>
    public LimitsDescription? Limits { get; init; }
}

/// <summary>Swap of a scenario file.</summary>
internal sealed record SwapDescription
{
    /// <summary>The path of the swap file; absent for a temporary one.</summary>
    public string? File { get; init; }

    /// <summary>Its size.</summary>
    public required string Size { get; init; }

    /// <summary>The device whose times it has: <c>nvme</c> where absent.</summary>
    public string? Device { get; init; }

    /// <summary>What compressed pages may take of the host's memory before they are written; absent for nothing.</summary>
    public string? CompressedPool { get; init; }

    /// <summary>Whether the file takes all its room at the start, as a partition has it.</summary>
    public bool? Preallocated { get; init; }
}

/// <summary>Policies of a scenario file.</summary>
internal sealed record PolicyDescription
{
    /// <summary>From whom frames are taken: <c>largest</c> or <c>shares</c>.</summary>
    public string? Reclaim { get; init; }

    /// <summary>Which frame of a machine gives way.</summary>
    public string? Replacement { get; init; }

    /// <summary>Whether frames of equal content become one.</summary>
    public bool? Sharing { get; init; }

    /// <summary>How many pages are looked at in a virtual second, of all machines together.</summary>
    public ulong? SharingPagesPerSecond { get; init; }

    /// <summary>Whether guests with a balloon are asked for memory before it is taken from them.</summary>
    public bool? Balloon { get; init; }

    /// <summary>How much more an idle page costs.</summary>
    public int? IdleTaxPercent { get; init; }

    /// <summary>Virtual nanoseconds for which pages are watched to estimate what machines use; where it or a tax is given, they are.</summary>
    public ulong? SamplePeriod { get; init; }
}

/// <summary>A machine, or several alike, of a scenario file.</summary>
internal sealed record ScenarioMachineDescription
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>A bundled guest or a path from the scenario's file.</summary>
    public required string Program { get; init; }

    /// <summary>The guest's arguments.</summary>
    public IReadOnlyList<string>? Args { get; init; }

    /// <summary>What it is promised.</summary>
    public required string Memory { get; init; }

    /// <summary>Its disk, where it runs a bare guest; absent for one twice as large as its memory and as fast as an SSD.</summary>
    public DiskDescription? Disk { get; init; }

    /// <summary>Its part beside others'; 1000 where absent.</summary>
    public int? Shares { get; init; }

    /// <summary>Below this nothing is taken from it.</summary>
    public string? Min { get; init; }

    /// <summary>More it does not get.</summary>
    public string? Max { get; init; }

    /// <summary>When it starts.</summary>
    public ulong? StartAt { get; init; }

    /// <summary>How many there are; named <c>NAME-1</c> and so on where more than one.</summary>
    public int? Count { get; init; }
}

/// <summary>A machine's disk of a scenario file.</summary>
internal sealed record DiskDescription
{
    /// <summary>Its size; twice the machine's memory where absent.</summary>
    public string? Size { get; init; }

    /// <summary>The device whose times it has: <c>ssd</c> where absent.</summary>
    public string? Device { get; init; }
}

/// <summary>A migration of a scenario file.</summary>
internal sealed record MigrationDescription
{
    /// <summary>The name of a machine.</summary>
    public required string Machine { get; init; }

    /// <summary>When it begins.</summary>
    public required ulong At { get; init; }

    /// <summary>Bytes that go in a second, as a size; <c>1G</c> where absent.</summary>
    public string? Bandwidth { get; init; }

    /// <summary>Nanoseconds one way.</summary>
    public ulong? Latency { get; init; }

    /// <summary>Rounds while the machine runs, at most.</summary>
    public int? Rounds { get; init; }

    /// <summary>Nanoseconds of standing still that are aimed at.</summary>
    public ulong? Downtime { get; init; }
}

/// <summary>Limits of a scenario file.</summary>
internal sealed record LimitsDescription
{
    /// <summary>Virtual nanoseconds after which machines that run are ended.</summary>
    public ulong? Time { get; init; }
}
