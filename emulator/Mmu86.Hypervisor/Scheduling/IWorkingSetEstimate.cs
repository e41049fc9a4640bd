using Mmu86.Memory;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>Estimates which part of a machine's resident memory it uses: what a scheduler needs to know of idle memory.</summary>
public interface IWorkingSetEstimate
{
    /// <summary>The part of the resident memory that is in use, in millionths.</summary>
    uint ActivePartsPerMillion { get; }

    /// <summary>Time has passed: it looks, if it is time to. It may clear accessed flags; the invalidation that this needs is the caller's.</summary>
    /// <param name="memory">The machine's memory. The machine does not run.</param>
    /// <param name="now">Virtual nanoseconds of the guest; never less than before.</param>
    void Tick(GuestMemoryManager memory, ulong now);

    /// <summary>Writes what it has seen.</summary>
    void Save(StateWriter writer);

    /// <summary>Reads it back in place of what it has seen.</summary>
    void Load(StateReader reader);
}
