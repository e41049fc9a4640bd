namespace Mmu86.Tests.Lab.Sweeps;

/// <summary>What can happen to an array of translations.</summary>
internal enum SweepEventKind
{
    Access,
    InvalidatePage,
    InvalidateSpace,
    InvalidateAll,
}

/// <summary>One event of a stream; what its kind does not need is 0.</summary>
internal readonly record struct SweepEvent(SweepEventKind Kind, ulong Page, uint Space, uint Repeats)
{
    /// <summary>A stream of random habits: some pages often, walks in strides, pages from far away, and invalidations more or less rare.</summary>
    /// <param name="random">Decides everything.</param>
    /// <param name="length">Events.</param>
    /// <param name="pages">Pages in use, about.</param>
    /// <param name="spaces">The address spaces in use.</param>
    public static SweepEvent[] Stream(Random random, int length, int pages, params uint[] spaces)
    {
        var events = new SweepEvent[length];
        double invalidations = random.Next(4) switch { 0 => 0, 1 => 0.001, 2 => 0.02, _ => 0.2 };
        int hot = 1 + random.Next(40);
        ulong stride = 1UL << random.Next(10);
        ulong origin = (ulong)random.NextInt64() >> 12;
        ulong walk = 0;
        ulong page = origin;
        uint space = spaces[0];
        for (int i = 0; i < length; i++)
        {
            if (random.Next(30) == 0)
                space = spaces[random.Next(spaces.Length)];
            page = random.Next(6) switch
            {
                0 => origin + (ulong)random.Next(pages),
                1 or 2 => origin + (ulong)random.Next(hot),
                3 => origin + (walk += stride) % (ulong)pages,
                4 => page + 1,
                _ => page,
            };
            SweepEventKind kind = SweepEventKind.Access;
            if (random.NextDouble() < invalidations)
                kind = random.Next(50) switch { 0 => SweepEventKind.InvalidateAll, < 4 => SweepEventKind.InvalidateSpace, _ => SweepEventKind.InvalidatePage };
            events[i] = new SweepEvent(kind, page, space, (uint)(random.Next(4) == 0 ? random.Next(1, 9) : 1));
        }

        return events;
    }
}
