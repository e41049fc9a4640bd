using Mmu86.Memory;

namespace Mmu86.Hypervisor.Sharing;

/// <summary>What looking for equal pages found.</summary>
public sealed class PageSharingCounts
{
    /// <summary>Pages looked at.</summary>
    public ulong Scanned { get; internal set; }

    /// <summary>Pages compared byte for byte with another, because their hashes are the same.</summary>
    public ulong Compared { get; internal set; }

    /// <summary>Those that were not the same: a hash that collided, or a page that was written to since it was hashed.</summary>
    public ulong Unequal { get; internal set; }

    /// <summary>Frames given up for an equal one.</summary>
    public ulong Merged { get; internal set; }

    /// <summary>Hints at pages that are elsewhere now, or gone.</summary>
    public ulong StaleHints { get; internal set; }

    /// <summary>Equal pages that stayed apart: there was no frame for the table that taking a large page apart needs.</summary>
    public ulong NoTable { get; internal set; }

    internal void Save(StateWriter writer) => writer.WriteArray<ulong>([Scanned, Compared, Unequal, Merged, StaleHints, NoTable]);

    internal void Load(StateReader reader)
    {
        Span<ulong> counts = stackalloc ulong[6];
        reader.ReadArray("counts", counts);
        (Scanned, Compared, Unequal, Merged, StaleHints, NoTable) = (counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]);
    }
}
