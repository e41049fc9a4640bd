namespace Mmu86.Hypervisor.Replacement;

/// <summary>A page-replacement policy as a scenario names it in <c>policy.replacement</c>.</summary>
public sealed class PageReplacement
{
    private readonly Func<ReplacementOptions, IReplacementPolicy> _create;

    private PageReplacement(string name, string meaning, Func<ReplacementOptions, IReplacementPolicy> create)
    {
        Name = name;
        Meaning = meaning;
        _create = create;
    }

    /// <summary>All policies, the simple ones first.</summary>
    public static IReadOnlyList<PageReplacement> All { get; } =
    [
        new("fifo", "the frame that became resident longest ago gives way", options => new FifoPolicy(options)),
        new("clock", "second chance: a hand clears accessed flags and stops at the first frame without", options => new ClockPolicy(options)),
        new("lru", "aging: eight scans of the accessed flag, the frame not seen for longest", options => new AgingLruPolicy(options)),
        new("2q", "a short queue for new frames, an LRU list for those that came back", options => new TwoQueuePolicy(options)),
        new("arc", "used once against used again, balanced by which of them come back", options => new ArcPolicy(options)),
        new("wsclock", "clock that takes clean frames outside the working set first", options => new WsClockPolicy(options)),
        new("mglru", "multi-generation LRU after Linux: the oldest of up to three generations", options => new MultiGenerationPolicy(options)),
        new("random", "any frame, by the seed", options => new RandomPolicy(options)),
        new("opt", "offline bound: the frame used farthest in the future; only for recorded streams", options => new OptimalPolicy(options))
        {
            NeedsFuture = true,
        },
    ];

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>What gives way, in a line.</summary>
    public string Meaning { get; }

    /// <summary>Whether it needs <see cref="ReplacementOptions.Future"/>: then no running host can use it.</summary>
    public bool NeedsFuture { get; private init; }

    /// <summary>The policy of a name.</summary>
    /// <returns>Null where there is none.</returns>
    public static PageReplacement? Find(string name) => All.FirstOrDefault(policy => policy.Name == name);

    /// <summary>Makes one with empty books.</summary>
    /// <exception cref="ArgumentException">An option is out of range, or a future is needed and absent.</exception>
    public IReplacementPolicy Create(ReplacementOptions options)
    {
        options.Check();
        return _create(options);
    }
}
