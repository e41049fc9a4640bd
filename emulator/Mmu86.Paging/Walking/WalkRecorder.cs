using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Takes down the steps of a walk that records.</summary>
internal sealed class WalkRecorder
{
    private readonly List<WalkReference> _references = [];

    /// <summary>Begins a new walk.</summary>
    public void Begin() => _references.Clear();

    /// <summary>Adds an entry that was read from memory.</summary>
    /// <returns>Its position, for <see cref="Changed"/>.</returns>
    public int Read(WalkDimension dimension, int level, ulong host, GuestPhysicalAddress? guest, ulong entry)
    {
        _references.Add(new WalkReference
        {
            Dimension = dimension,
            Level = level,
            Entry = new HostPhysicalAddress(host),
            GuestEntry = guest,
            WasRead = true,
            Before = entry,
            After = entry,
            Source = WalkSource.Memory,
        });
        return _references.Count - 1;
    }

    /// <summary>Adds a step that a structure cache answered.</summary>
    public void Cached(WalkDimension dimension, int level, HostPhysicalAddress? origin, ulong data, WalkSource source) =>
        _references.Add(new WalkReference
        {
            Dimension = dimension,
            Level = level,
            Entry = origin,
            GuestEntry = null,
            Before = data,
            After = data,
            Source = source,
        });

    /// <summary>Accessed or dirty was set in an entry.</summary>
    public void Changed(int position, ulong entry) => _references[position] = _references[position] with { After = entry };

    /// <summary>The steps so far.</summary>
    public WalkReference[] Steps() => [.. _references];

    /// <summary>The structure cache of a level.</summary>
    public static WalkSource CacheOf(WalkDimension dimension, int level) => (dimension, level) switch
    {
        (WalkDimension.Guest, 5) => WalkSource.Pml5eCache,
        (WalkDimension.Guest, 4) => WalkSource.Pml4eCache,
        (WalkDimension.Guest, 3) => WalkSource.PdpteCache,
        (WalkDimension.Guest, _) => WalkSource.PdeCache,
        (WalkDimension.Ept, 4) => WalkSource.EptPml4eCache,
        (WalkDimension.Ept, 3) => WalkSource.EptPdpteCache,
        (WalkDimension.Ept, _) => WalkSource.EptPdeCache,
        _ => throw new ArgumentOutOfRangeException(nameof(dimension)),
    };
}
