namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>Belady's rule, each next use looked for in the stream.</summary>
internal static class LiteralOptimal
{
    public static long Misses(int[] pages, int frames)
    {
        var resident = new List<int>();
        long misses = 0;
        for (int at = 0; at < pages.Length; at++)
        {
            if (resident.Contains(pages[at]))
                continue;
            misses++;
            if (resident.Count == frames)
                resident.Remove(resident.MaxBy(page => NextUse(pages, page, at + 1)));
            resident.Add(pages[at]);
        }

        return misses;
    }

    private static int NextUse(int[] pages, int page, int from)
    {
        int next = Array.IndexOf(pages, page, from);
        return next < 0 ? int.MaxValue : next;
    }
}
