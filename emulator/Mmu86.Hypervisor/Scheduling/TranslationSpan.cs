using Mmu86.Memory;
using Mmu86.Paging;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>What a machine's processor translated in some quanta together.</summary>
/// <param name="Quanta">How many.</param>
/// <param name="Instructions">Instructions retired in them.</param>
/// <param name="Work">What was translated beyond hits of the first level.</param>
public readonly record struct TranslationSpan(ulong Quanta, ulong Instructions, TranslationWork Work)
{
    internal void Save(StateWriter writer) => writer.WriteArray<ulong>([Quanta, Instructions, Work.SecondLevelHits, Work.Walks, Work.References]);

    internal static TranslationSpan Load(StateReader reader, string field)
    {
        Span<ulong> counts = stackalloc ulong[5];
        reader.ReadArray(field, counts);
        return new TranslationSpan(counts[0], counts[1], new TranslationWork(counts[2], counts[3], counts[4]));
    }

    /// <summary>Adds a quantum.</summary>
    internal TranslationSpan Add(ulong instructions, in TranslationWork before, in TranslationWork after) => new(
        Quanta + 1,
        Instructions + instructions,
        new TranslationWork(
            Work.SecondLevelHits + after.SecondLevelHits - before.SecondLevelHits,
            Work.Walks + after.Walks - before.Walks,
            Work.References + after.References - before.References));
}
