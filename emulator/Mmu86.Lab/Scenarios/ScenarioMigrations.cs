using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Lab.Running;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>The migrations of a scenario, and the host to which machines move: it has room for all of them.</summary>
internal sealed class ScenarioMigrations : IDisposable
{
    // A table for each 2 MiB, alignment of large pages, and what a machine has besides.
    private const ulong OverheadBytes = 8UL << 20;

    private readonly VirtualHost _destination;
    private readonly MigrationCourse[] _courses;

    /// <summary>Makes the other host.</summary>
    /// <param name="scenario">Which has migrations.</param>
    /// <param name="scheduler">The scheduler with all machines.</param>
    /// <param name="audits">Whether the other host looks at every frame before it is mapped.</param>
    /// <param name="storeOf">Where the swapped pages of a machine are.</param>
    /// <param name="make">Makes a machine equal to that of an index on a host.</param>
    public ScenarioMigrations(Scenario scenario, HostScheduler scheduler, bool audits, Func<int, ITimedPageStore?> storeOf, Func<int, VirtualHost, ScenarioGuest> make)
    {
        ulong bytes = scenario.Migrations.Select(migration => scenario.Machines[migration.Machine].Options.MemoryBytes)
            .Aggregate(0UL, (sum, memory) => sum + memory + (memory >> 8) + OverheadBytes);
        _destination = new VirtualHost(new HostMemory(bytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = audits });
        _courses =
        [
            .. scenario.Migrations.Select(migration => new MigrationCourse(
                migration, scheduler.Machines[migration.Machine], storeOf(migration.Machine), _destination, host => make(migration.Machine, host))),
        ];
    }

    /// <summary>A machine whose migration has begun, whatever became of it; null where none has.</summary>
    public string? FirstBegun => _courses.FirstOrDefault(course => course.HasBegun)?.Machine;

    /// <summary>Frames of the other host that somebody owns.</summary>
    public ulong FramesOwned => _destination.Frames.FramesUsed;

    /// <summary>Does what is due at a barrier.</summary>
    public void Step(HostScheduler scheduler)
    {
        foreach (MigrationCourse course in _courses)
            course.Step(scheduler);
    }

    /// <summary>Destroys what did not move completely, and tells what became of each. The run is over.</summary>
    public IReadOnlyList<VmsMigration> Report()
    {
        foreach (MigrationCourse course in _courses)
            course.Dispose();
        return [.. _courses.Select(course => course.Report())];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (MigrationCourse course in _courses)
            course.Dispose();
        _destination.Dispose();
    }
}
