using Mmu86.Memory;
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

    internal void Save(StateWriter writer)
    {
        writer.Write(_invalidations);
        writer.Write(_instructions);
        writer.WriteArray<ulong>([_work.SecondLevelHits, _work.Walks, _work.References]);
        Disturbed.Save(writer);
        Calm.Save(writer);
    }

    internal void Load(StateReader reader)
    {
        _invalidations = reader.ReadUInt64("invalidations");
        _instructions = reader.ReadUInt64("instructionsNoted");
        Span<ulong> work = stackalloc ulong[3];
        reader.ReadArray("workNoted", work);
        _work = new TranslationWork(work[0], work[1], work[2]);
        Disturbed = TranslationSpan.Load(reader, "disturbed");
        Calm = TranslationSpan.Load(reader, "calm");
    }

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
