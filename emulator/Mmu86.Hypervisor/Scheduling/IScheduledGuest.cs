using Mmu86.Cpu;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>A guest in a virtual machine: what <see cref="HostScheduler"/> asks of whoever made it. Disposing it destroys the machine.</summary>
public interface IScheduledGuest : IDisposable
{
    /// <summary>Its machine.</summary>
    VirtualMachine Machine { get; }

    /// <summary>The virtual CPU that runs.</summary>
    Vcpu Processor { get; }

    /// <summary>Ticks of <see cref="Vcpu.VirtualTime"/> in a second.</summary>
    ulong ClockFrequencyHertz { get; }

    /// <summary>Whether an instruction takes one tick, so that a moment is reached exactly. Otherwise a quantum ends some instructions late.</summary>
    bool HasUniformClock { get; }

    /// <summary>Answers a stop that the scheduler has no answer to. At a barrier: no machine runs.</summary>
    /// <returns>False where the guest has ended.</returns>
    /// <exception cref="HostMemoryExhaustedException">The guest cannot go on without a frame that is not to be had.</exception>
    /// <exception cref="SwappedPageLostException">A page that the answer needs is lost.</exception>
    bool Answer(in MachineStop stop);

    /// <summary>Writes everything of the guest but its memory. At a barrier.</summary>
    /// <exception cref="InvalidOperationException">It stands where it cannot be saved.</exception>
    void SaveState(StateWriter writer);

    /// <summary>Reads it back into a guest that was made from equal options and has run nothing. Its memory is in place already.</summary>
    /// <exception cref="StateFormatException">It is the state of another guest, or broken. This one is to be thrown away.</exception>
    void LoadState(StateReader reader);

    /// <summary>The guest is ended by the host.</summary>
    /// <param name="cause">Why.</param>
    /// <param name="reason">In a sentence without full stop.</param>
    void Abandon(AbandonCause cause, string reason);
}

/// <summary>Why a host ends a guest.</summary>
public enum AbandonCause
{
    /// <summary>A page of it is lost: a machine check.</summary>
    PageLost,

    /// <summary>There is no frame for it, and nothing can be reclaimed.</summary>
    NoMemory,

    /// <summary>The run is over before the guest is.</summary>
    Limit,
}
