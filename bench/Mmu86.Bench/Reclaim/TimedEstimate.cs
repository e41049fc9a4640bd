using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Memory;

namespace Mmu86.Bench.Reclaim;

/// <summary>An estimate of working sets that tells a profile when it works.</summary>
internal sealed class TimedEstimate(IWorkingSetEstimate estimate, WorkProfile profile) : IWorkingSetEstimate
{
    /// <inheritdoc/>
    public uint ActivePartsPerMillion => estimate.ActivePartsPerMillion;

    /// <inheritdoc/>
    public void Tick(GuestMemoryManager memory, ulong now)
    {
        HostWork outer = profile.Begin(HostWork.Sampling);
        estimate.Tick(memory, now);
        profile.End(outer);
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer) => estimate.Save(writer);

    /// <inheritdoc/>
    public void Load(StateReader reader) => estimate.Load(reader);
}
