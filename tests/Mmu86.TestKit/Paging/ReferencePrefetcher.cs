using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Which pages a prefetcher names, from the whole history of misses.</summary>
public sealed class ReferencePrefetcher(PrefetchConfiguration configuration)
{
    private readonly List<ulong> _pages = [];

    /// <summary>A miss was walked for.</summary>
    /// <returns>The addresses of the pages to prefetch.</returns>
    public ulong[] Predict(ulong address, PageSize size)
    {
        ulong first = address & ~size.OffsetMask();
        if (configuration.Kind == PrefetchKind.Next)
            return [.. Enumerable.Range(1, configuration.Degree).Select(i => first + ((ulong)i * size.Bytes()))];

        _pages.Add(first >> 12);
        long[] distances = [.. _pages.Skip(1).Zip(_pages, (later, earlier) => (long)(later - earlier))];
        if (distances.Length == 0)
            return [];
        // What followed the distance since another distance last took its row, the last first.
        ulong rows = (ulong)configuration.TableEntries!.Value;
        var followers = new List<long>();
        for (int i = distances.Length - 2; i >= 0 && followers.Count < configuration.Degree; i--)
        {
            if (distances[i] == distances[^1])
            {
                if (!followers.Contains(distances[i + 1]))
                    followers.Add(distances[i + 1]);
            }
            else if ((ulong)distances[i] % rows == (ulong)distances[^1] % rows)
            {
                break;
            }
        }

        return [.. followers.Select(distance => (_pages[^1] + (ulong)distance) << 12)];
    }
}
