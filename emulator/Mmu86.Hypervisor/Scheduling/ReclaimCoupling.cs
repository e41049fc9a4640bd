using Mmu86.Paging;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>What the host's decisions about a machine's memory cost its translations: quanta with an invalidation beside quanta without.</summary>
/// <remarks>
/// An invalidation is what taking frames, clearing accessed flags, sharing, splitting and joining have in common. A quantum belongs to the disturbed ones
/// if there was one at the barrier before it or within it.
/// </remarks>
public sealed class ReclaimCoupling
{
    private ulong _invalidations;
    private ulong _instructions;
    private TranslationWork _work;

    /// <summary>Quanta in which the machine's translations were invalidated.</summary>
    public TranslationSpan Disturbed { get; private set; }

    /// <summary>The others.</summary>
    public TranslationSpan Calm { get; private set; }

    /// <summary>A quantum is over.</summary>
    /// <param name="guest">The machine.</param>
    internal void Note(IScheduledGuest guest)
    {
        ulong invalidations = guest.Machine.Memory.Counts.Invalidations;
        ulong instructions = guest.Processor.Counters.Instructions;
        TranslationWork work = guest.Processor.Mmu.Work;
        if (invalidations != _invalidations)
            Disturbed = Disturbed.Add(instructions - _instructions, _work, work);
        else
            Calm = Calm.Add(instructions - _instructions, _work, work);
        _invalidations = invalidations;
        _instructions = instructions;
        _work = work;
    }
}
