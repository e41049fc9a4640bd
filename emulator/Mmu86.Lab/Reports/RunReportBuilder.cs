using Mmu86.X86;

namespace Mmu86.Lab.Reports;

/// <summary>Puts options and outcome of a run together.</summary>
public static class RunReportBuilder
{
    /// <summary>The report of a run.</summary>
    public static RunReport Build(RunOptions options, RunOutcome outcome) => new()
    {
        Version = typeof(RunReport).Assembly.GetName().Version!.ToString(3),
        Program = ProgramReport.Of(options.Program),
        Machine = options.Machine,
        Paging = options.Paging,
        Fidelity = options.Fidelity,
        GuestPage = NameOf(options.GuestPage),
        HostPage = options.Paging != PagingMode.Native ? NameOf(options.HostPage) : null,
        MemoryBytes = checked((long)options.MemoryBytes),
        Seed = options.Seed,
        Exit = outcome.Exit,
        Instructions = outcome.Counts.Instructions,
        RepIterations = outcome.Counts.RepIterations,
        Cycles = outcome.Counts.Cycles,
        Accesses = outcome.Counts.Accesses,
        Tlb = outcome.Counts.Tlb,
        Walks = outcome.Counts.Walks,
        Caches = outcome.Counts.Caches,
        Faults = outcome.Counts.Faults,
        Shadow = outcome.Counts.Shadow,
        Memory = outcome.Memory,
        Unsupported = outcome.Unsupported,
        Devices = outcome.Devices,
        Measured = outcome.Measured,
        Host = HostReport.From(outcome.Counts.Instructions, outcome.CpuTime, outcome.WallTime),
    };

    /// <summary>A page size as options and reports name it: <c>4k</c>, <c>2m</c> or <c>1g</c>.</summary>
    public static string NameOf(PageSize size) => size switch
    {
        PageSize.Size4K => "4k",
        PageSize.Size2M => "2m",
        PageSize.Size1G => "1g",
        PageSize.Size4M => "4m",
        _ => throw new ArgumentOutOfRangeException(nameof(size)),
    };
}
