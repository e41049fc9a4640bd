using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab.Snapshots;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>A scenario's host in a file, with all that its report will say.</summary>
/// <param name="scenario">What runs on what.</param>
/// <param name="timeline">The time line.</param>
/// <param name="records">What is kept of each machine.</param>
internal sealed class ScenarioSnapshot(Scenario scenario, ScenarioTimeline timeline, IReadOnlyList<MachineRecord> records) : IHostRecords
{
    /// <summary>Writes a file in place of what is there. Between two quanta.</summary>
    /// <exception cref="SnapshotFileException">It cannot be written. What was there is there still.</exception>
    public void Write(string path, HostScheduler scheduler) => SnapshotFileException.Translate(FileAccess.Write, path, () =>
    {
        SnapshotFile.Write(path, writer => HostSnapshot.Write(writer, scheduler, this));
        return true;
    });

    /// <summary>Reads a file into the host of a scheduler whose machines have not started.</summary>
    /// <exception cref="StateFormatException">It is broken, or the snapshot of another scenario.</exception>
    /// <exception cref="SnapshotFileException">It cannot be read.</exception>
    public void Read(string path, HostScheduler scheduler) => SnapshotFileException.Translate(FileAccess.Read, path, () => SnapshotFile.Read(path, reader =>
    {
        HostSnapshot.Read(reader, scheduler, this);
        return true;
    }));

    /// <inheritdoc/>
    void IHostRecords.Save(StateWriter writer)
    {
        SavedScenario.Save(writer, scenario);
        timeline.Save(writer);
    }

    /// <inheritdoc/>
    void IHostRecords.SaveMachine(int machine, StateWriter writer) => records[machine].Save(writer);

    /// <inheritdoc/>
    void IHostRecords.Load(StateReader reader)
    {
        SavedScenario.RequireSame(reader, scenario);
        timeline.Load(reader, records.Count);
    }

    /// <inheritdoc/>
    void IHostRecords.LoadMachine(int machine, StateReader reader) => records[machine].Load(reader);
}
