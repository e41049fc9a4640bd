using Mmu86.Cpu;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Snapshots;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>A guest of a scenario, as its scheduler sees it.</summary>
public sealed class ScenarioGuest : IScheduledGuest
{
    private readonly GuestMachine _machine;
    private readonly RunOptions _options;
    private readonly Action<ScenarioGuest> _ended;

    /// <summary>Makes a guest on a host.</summary>
    /// <param name="shared">The host.</param>
    /// <param name="options">What to run.</param>
    /// <param name="output">Where its bytes go.</param>
    /// <param name="ended">Told when it has ended, while everything that it counted can still be read.</param>
    public ScenarioGuest(SharedHost shared, RunOptions options, GuestOutput output, Action<ScenarioGuest> ended)
    {
        _options = options;
        _ended = ended;
        _machine = GuestMachine.BuildOn(shared, options, output);
    }

    /// <summary>Makes a guest on a host that goes on from a snapshot: one that was taken of such a guest at a barrier (<see cref="Save"/>).</summary>
    /// <param name="shared">The host: the one where it was, or another.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="output">Where its bytes go from now on.</param>
    /// <param name="ended">As in the other constructor.</param>
    /// <exception cref="StateFormatException">It is broken.</exception>
    /// <exception cref="HostMemoryExhaustedException">The host has too little memory for it.</exception>
    public ScenarioGuest(SharedHost shared, SnapshotReader snapshot, GuestOutput output, Action<ScenarioGuest> ended)
    {
        _ended = ended;
        _machine = GuestSnapshot.ReadOn(snapshot, shared, output);
        _options = _machine.Options;
    }

    /// <summary>Keeps the guest as it is. At a barrier; the guest may run on.</summary>
    /// <param name="writer">Where to; the caller completes it.</param>
    /// <exception cref="SwappedPageLostException">A swapped page cannot be got back.</exception>
    public void Save(SnapshotWriter writer) => GuestSnapshot.Write(writer, _machine);

    /// <inheritdoc/>
    public VirtualMachine Machine => _machine.Virtual!;

    /// <inheritdoc/>
    public Vcpu Processor => _machine.Vcpu;

    /// <inheritdoc/>
    public ulong ClockFrequencyHertz => (ulong)_options.Machine.Clock.FrequencyHertz;

    /// <inheritdoc/>
    public bool HasUniformClock => _options.Machine.Clock.Counts == ClockSource.Instructions;

    /// <summary>How it ended; null while it runs.</summary>
    public ExitReport? Exit { get; private set; }

    /// <summary>The guest and what it counted.</summary>
    public GuestMachine Guest => _machine;

    /// <inheritdoc/>
    public bool Answer(in MachineStop stop)
    {
        Exit = _machine.Answer(stop);
        if (Exit is null)
            return true;
        _ended(this);
        return false;
    }

    /// <inheritdoc/>
    public void SaveState(StateWriter writer) => _machine.SaveState(writer);

    /// <inheritdoc/>
    public void LoadState(StateReader reader)
    {
        _machine.LoadState(reader);
        MachineRecord.RequireCountable(reader, CountsMoment.Of(_machine), _options);
    }

    /// <inheritdoc/>
    public void Abandon(AbandonCause cause, string reason)
    {
        Exit = cause == AbandonCause.PageLost
            ? new ExitReport { Kind = ExitKind.Fault, Status = ExitReport.FaultStatus, Detail = reason }
            : new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.LimitStatus, Detail = reason };
        _ended(this);
    }

    /// <inheritdoc/>
    public void Dispose() => _machine.Dispose();
}
