namespace Mmu86.Tests.Lab.Sweeps;

/// <summary>One set-associative LRU array, as slowly and literally as it can be written: ways with a tag and the time of their last use.</summary>
internal sealed class LiteralArray
{
    private readonly Way[][] _sets;
    private long _now;

    public LiteralArray(int sets, int ways) => _sets = [.. Enumerable.Range(0, sets).Select(_ => new Way[ways])];

    public long Lookups { get; private set; }

    public long Misses { get; private set; }

    public void Apply(SweepEvent next)
    {
        switch (next.Kind)
        {
            case SweepEventKind.Access:
                for (uint i = 0; i < next.Repeats; i++)
                    Lookup(next.Page, next.Space);
                break;
            case SweepEventKind.InvalidatePage:
                Invalidate(way => way.Page == next.Page && way.Space == next.Space);
                break;
            case SweepEventKind.InvalidateSpace:
                Invalidate(way => way.Space == next.Space);
                break;
            case SweepEventKind.InvalidateAll:
                Invalidate(_ => true);
                break;
        }
    }

    private void Lookup(ulong page, uint space)
    {
        Lookups++;
        _now++;
        Way[] set = _sets[page % (ulong)_sets.Length];
        int victim = 0;
        for (int i = 0; i < set.Length; i++)
        {
            if (set[i].IsValid && set[i].Page == page && set[i].Space == space)
            {
                set[i].LastUse = _now;
                return;
            }

            // A free way before any other, then the one not used for longest.
            if (set[victim].IsValid && (!set[i].IsValid || set[i].LastUse < set[victim].LastUse))
                victim = i;
        }

        Misses++;
        set[victim] = new Way { IsValid = true, Page = page, Space = space, LastUse = _now };
    }

    private void Invalidate(Func<Way, bool> isMeant)
    {
        foreach (Way[] set in _sets)
        {
            for (int i = 0; i < set.Length; i++)
            {
                if (isMeant(set[i]))
                    set[i].IsValid = false;
            }
        }
    }

    private struct Way
    {
        public bool IsValid;
        public ulong Page;
        public uint Space;
        public long LastUse;
    }
}
