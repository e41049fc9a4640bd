using Mmu86.Cpu;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;

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
