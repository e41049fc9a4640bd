using Mmu86.Lab.Machines;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>What a recorded stream is of: all that a sweep must know before it.</summary>
public sealed record StreamFileHeader
{
    /// <summary>The base machine.</summary>
    public required MachineDescription Machine { get; init; }

    /// <summary>What lay below the guest's page tables.</summary>
    public required PagingMode Paging { get; init; }

    /// <summary>Page size of the guest's tables.</summary>
    public required PageSize GuestPage { get; init; }

    /// <summary>Page size of nested paging.</summary>
    public required PageSize HostPage { get; init; }

    /// <summary>Guest-physical memory in bytes.</summary>
    public required ulong MemoryBytes { get; init; }

    /// <summary>Frames of the host in bytes; null for all that was promised.</summary>
    public ulong? HostMemoryBytes { get; init; }

    /// <summary>Where the run was to stop, in instructions; null for never.</summary>
    public ulong? MaxInstructions { get; init; }

    /// <summary>The run's seed.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Which lookups were taken together.</summary>
    public required RecordedRuns Runs { get; init; }

    /// <summary>Whether sites are numbered and misses of the base machine marked.</summary>
    public required bool HasSites { get; init; }

    /// <summary>The header of a run.</summary>
    public static StreamFileHeader Of(RunOptions run, RecordedRuns runs, bool hasSites) => new()
    {
        Machine = run.Machine with { Sources = null },
        Paging = run.Paging,
        GuestPage = run.GuestPage,
        HostPage = run.HostPage,
        MemoryBytes = run.MemoryBytes,
        HostMemoryBytes = run.HostMemoryBytes,
        MaxInstructions = run.MaxInstructions,
        Seed = run.Seed,
        Runs = runs,
        HasSites = hasSites,
    };

    /// <summary>The run that was recorded.</summary>
    /// <param name="name">What the file is called.</param>
    public RunOptions ToRun(string name) => new()
    {
        Program = new ProgramImage { Name = name, Bytes = [], Arguments = [] },
        Machine = Machine,
        Paging = Paging,
        GuestPage = GuestPage,
        HostPage = HostPage,
        Fidelity = Fidelity.Tlb,
        MemoryBytes = MemoryBytes,
        HostMemoryBytes = HostMemoryBytes,
        MaxInstructions = MaxInstructions,
        Seed = Seed,
    };
}
