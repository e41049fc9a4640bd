using Mmu86.Hypervisor.Replacement;
using Mmu86.X86;

namespace Mmu86.TestKit.Hypervisor;

/// <summary>A memory of so many frames below a stream of page references: what a policy would do for it, seen through accessed flags as hardware sets them.</summary>
/// <remarks>A write of a dirty frame that the policy starts is done at once. Nothing is read ahead.</remarks>
public sealed class ReplacementSimulator : IAccessInformation
{
    private readonly SimulationOptions _options;
    private readonly RecordedFuture? _future;
    private readonly PageState[] _pages;
    private int _untilTick;
    private ulong _now;

    /// <summary>An empty memory.</summary>
    /// <param name="kind">The policy.</param>
    /// <param name="options">Size and pace.</param>
    /// <param name="pages">The references to come, each a page number of at least 0; OPT is told them.</param>
    public ReplacementSimulator(PageReplacement kind, SimulationOptions options, ReadOnlySpan<int> pages)
    {
        _options = options;
        _untilTick = options.AccessesPerTick;
        int most = 0;
        foreach (int page in pages)
            most = Math.Max(most, page);
        _pages = new PageState[most + 1];
        if (kind.NeedsFuture)
        {
            var references = new GuestFrameNumber[pages.Length];
            for (int at = 0; at < pages.Length; at++)
                references[at] = Frame(pages[at]);
            _future = new RecordedFuture(references);
        }

        Policy = kind.Create(options.ForPolicy(_future));
    }

    /// <summary>The policy.</summary>
    public IReplacementPolicy Policy { get; }

    /// <summary>References that found their page absent.</summary>
    public long Misses { get; private set; }

    /// <summary>Pages evicted.</summary>
    public long Evictions { get; private set; }

    /// <summary>Evictions that needed a write first.</summary>
    public long DirtyEvictions { get; private set; }

    /// <summary>Writes that the policy started ahead of an eviction.</summary>
    public long Cleanings { get; private set; }

    /// <summary>Accessed flags looked at.</summary>
    public long FlagsTested { get; private set; }

    /// <summary>Accessed flags cleared: each an invalidation.</summary>
    public long FlagsCleared { get; private set; }

    /// <summary>The page evicted by the last reference, or -1.</summary>
    public int LastVictim { get; private set; } = -1;

    /// <summary>Whether a page is resident.</summary>
    public bool IsResident(int page) => (_pages[page].Flags & PageFlags.Resident) != 0;

    /// <summary>Makes all references as loads.</summary>
    public void Run(ReadOnlySpan<int> pages)
    {
        foreach (int page in pages)
            Access(page, isStore: false);
    }

    /// <summary>A reference.</summary>
    /// <returns>Whether the page was resident.</returns>
    public bool Access(int page, bool isStore)
    {
        LastVictim = -1;
        ref PageState state = ref _pages[page];
        bool isHit = (state.Flags & PageFlags.Resident) != 0;
        if (!isHit)
            BringIn(page, ref state);
        state.Flags |= isStore ? PageFlags.Accessed | PageFlags.Dirty : PageFlags.Accessed;
        _future?.Advance();
        if (--_untilTick == 0)
        {
            _untilTick = _options.AccessesPerTick;
            _now += _options.TickNanoseconds;
            Policy.Tick(this, _now);
        }

        return isHit;
    }

    /// <inheritdoc/>
    public bool TestAndClearAccessed(GuestFrameNumber frame)
    {
        ref PageState state = ref Resident(frame);
        FlagsTested++;
        if ((state.Flags & PageFlags.Accessed) == 0)
            return false;
        FlagsCleared++;
        state.Flags &= ~PageFlags.Accessed;
        return true;
    }

    /// <inheritdoc/>
    public bool IsDirty(GuestFrameNumber frame) => (Resident(frame).Flags & PageFlags.Dirty) != 0;

    /// <inheritdoc/>
    public void StartCleaning(GuestFrameNumber frame)
    {
        Cleanings++;
        Resident(frame).Flags &= ~PageFlags.Dirty;
    }

    private static GuestFrameNumber Frame(int page) => new((ulong)page);

    private ref PageState Resident(GuestFrameNumber frame)
    {
        ref PageState state = ref _pages[(int)frame.Value];
        if ((state.Flags & PageFlags.Resident) == 0)
            throw new InvalidOperationException($"The policy asks about {frame}, which is not resident.");
        return ref state;
    }

    private void BringIn(int page, ref PageState state)
    {
        Misses++;
        bool isReturn = (state.Flags & PageFlags.Swapped) != 0;
        ulong distance = (ulong)(Evictions - state.EvictedAt);
        if (Policy.Count == _options.Frames)
        {
            if (!Policy.TryChooseVictim(this, Frame(page), out GuestFrameNumber victim))
                throw new InvalidOperationException("The policy finds no victim in a memory without pinned frames.");
            ref PageState evicted = ref Resident(victim);
            DirtyEvictions += (evicted.Flags & PageFlags.Dirty) != 0 ? 1 : 0;
            Evictions++;
            evicted = new PageState { Flags = PageFlags.Swapped, EvictedAt = Evictions };
            Policy.Removed(victim, Removal.Evicted);
            LastVictim = (int)victim.Value;
        }

        // What was never in swap has no copy there.
        state.Flags |= isReturn ? PageFlags.Resident : PageFlags.Resident | PageFlags.Dirty;
        Policy.Inserted(Frame(page), isReturn ? Insertion.SwappedIn(distance) : Insertion.Populated);
    }

    [Flags]
    private enum PageFlags : byte
    {
        None = 0,
        Resident = 1,
        Accessed = 2,
        Dirty = 4,
        Swapped = 8,
    }

    private struct PageState
    {
        public long EvictedAt;
        public PageFlags Flags;
    }
}
