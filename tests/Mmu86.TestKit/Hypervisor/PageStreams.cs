namespace Mmu86.TestKit.Hypervisor;

/// <summary>Streams of page references, each the same for the same random numbers.</summary>
public static class PageStreams
{
    /// <summary>Any page, all alike.</summary>
    public static int[] Uniform(Random random, int pages, int length) => Make(length, _ => random.Next(pages));

    /// <summary>All pages in order, again and again.</summary>
    public static int[] Loop(int pages, int length) => Make(length, at => at % pages);

    /// <summary>Pages by Zipf's law, exponent 0.9; neighbours in popularity are not neighbours in memory.</summary>
    public static int[] Zipf(Random random, int pages, int length)
    {
        var rank = new ZipfRanks(random, pages, 0.9);
        int[] places = Shuffled(random, pages);
        return Make(length, _ => places[rank.Next()]);
    }

    /// <summary>Zipf over hot pages, and now and then twice as many pages as that, each read once and never again.</summary>
    public static int[] HotWithScans(Random random, int hot, int length)
    {
        int[] places = Shuffled(random, hot);
        var rank = new ZipfRanks(random, hot, 0.5);
        int next = hot;
        int left = 0;
        return Make(length, _ =>
        {
            if (left == 0 && random.Next(hot * 10) == 0)
                left = hot * 2;
            return left != 0 && left-- != 0 ? next++ : places[rank.Next()];
        });
    }

    /// <summary>Hot pages, all alike, and between any two of them so many pages on average that are read once and never again.</summary>
    public static int[] HotBesideScan(Random random, int hot, int scannedBetween, int length)
    {
        int next = hot;
        return Make(length, _ => random.Next(scannedBetween + 1) == 0 ? random.Next(hot) : next++);
    }

    /// <summary>Uniform within a working set that moves to other pages now and then.</summary>
    public static int[] Phases(Random random, int pages, int workingSet, int length)
    {
        int first = 0;
        int phase = workingSet * 20;
        return Make(length, at =>
        {
            if (at % phase == 0)
                first = random.Next(pages);
            return (first + random.Next(workingSet)) % pages;
        });
    }

    /// <summary>A loop over more pages than fit, mixed half and half with hot pages.</summary>
    public static int[] LoopBesideHot(Random random, int loop, int hot, int length)
    {
        int at = 0;
        return Make(length, _ => random.Next(2) == 0 ? random.Next(hot) : hot + (at++ % loop));
    }

    private static int[] Make(int length, Func<int, int> page)
    {
        var pages = new int[length];
        for (int at = 0; at < length; at++)
            pages[at] = page(at);
        return pages;
    }

    private static int[] Shuffled(Random random, int pages)
    {
        int[] places = Make(pages, place => place);
        random.Shuffle(places);
        return places;
    }

    private sealed class ZipfRanks
    {
        private readonly Random _random;
        private readonly double[] _sums;

        public ZipfRanks(Random random, int ranks, double exponent)
        {
            _random = random;
            _sums = new double[ranks];
            double sum = 0;
            for (int rank = 0; rank < ranks; rank++)
                _sums[rank] = sum += Math.Pow(rank + 1, -exponent);
        }

        public int Next()
        {
            int at = Array.BinarySearch(_sums, _random.NextDouble() * _sums[^1]);
            return Math.Min(at < 0 ? ~at : at, _sums.Length - 1);
        }
    }
}
