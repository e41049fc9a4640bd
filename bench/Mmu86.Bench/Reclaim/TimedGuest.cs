using Mmu86.Cpu;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Memory;

namespace Mmu86.Bench.Reclaim;

/// <summary>A guest that notices when it ran.</summary>
/// <remarks>Its scheduler asks for the processor right before and right behind each run: what passed between two questions was the guest's where it retired
/// instructions, and the hypervisor's otherwise.</remarks>
internal sealed class TimedGuest(IScheduledGuest guest, WorkProfile profile) : IScheduledGuest
{
    private ulong _instructions;

    /// <inheritdoc/>
    public VirtualMachine Machine
    {
        get
        {
            Notice();
            return guest.Machine;
        }
    }

    /// <inheritdoc/>
    public Vcpu Processor
    {
        get
        {
            Notice();
            return guest.Processor;
        }
    }

    /// <inheritdoc/>
    public ulong ClockFrequencyHertz => guest.ClockFrequencyHertz;

    /// <inheritdoc/>
    public bool HasUniformClock => guest.HasUniformClock;

    /// <inheritdoc/>
    public bool Answer(in MachineStop stop) => guest.Answer(stop);

    /// <inheritdoc/>
    public void Abandon(AbandonCause cause, string reason) => guest.Abandon(cause, reason);

    /// <inheritdoc/>
    public void SaveState(StateWriter writer) => guest.SaveState(writer);

    /// <inheritdoc/>
    public void LoadState(StateReader reader) => guest.LoadState(reader);

    /// <inheritdoc/>
    public void Dispose() => guest.Dispose();

    private void Notice()
    {
        ulong instructions = guest.Processor.Counters.Instructions;
        profile.Ran(isGuest: instructions != _instructions);
        _instructions = instructions;
    }
}
