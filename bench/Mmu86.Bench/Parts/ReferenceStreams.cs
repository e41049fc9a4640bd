using Mmu86.Lab.Sweeps.OnePass;

namespace Mmu86.Bench.Parts;

/// <summary>Streams of data references that are hard for a sweep, collapsed: a run of lookups of one page is one reference.</summary>
internal static class ReferenceStreams
{
    /// <summary>References of a stream, before collapsing.</summary>
    public const int Length = 1 << 20;

    private const int PageShift = 12;
    private const ulong Data = 0x7F00_0000_0000;
    private const ulong Stack = 0x7FFF_FFFF_E000;

    /// <summary>Words anywhere in so many pages.</summary>
    public static PageReference[] UniformRandom(int pages)
    {
        var random = new Random(1);
        return Collapse(Enumerable.Range(0, Length).Select(_ => Data + ((ulong)random.Next(pages) << PageShift)));
    }

    /// <summary>The inner loops of a product of matrices of doubles whose rows are a page each: one operand along a row, the other down a column.</summary>
    public static PageReference[] MatrixProduct()
    {
        const int Order = 512;
        return Collapse(Loop().Take(Length));

        static IEnumerable<ulong> Loop()
        {
            for (ulong i = 0; ; i++)
            {
                for (ulong j = 0; j < Order; j++)
                {
                    for (ulong k = 0; k < Order; k++)
                    {
                        yield return Data + (i << PageShift) + (k * sizeof(double));
                        yield return Data + ((Order + k) << PageShift) + (j * sizeof(double));
                    }

                    yield return Data + ((2 * Order + i) << PageShift) + (j * sizeof(double));
                }
            }
        }
    }

    /// <summary>Binary searches of 32 MiB, each probe with a use of the stack.</summary>
    public static PageReference[] BinarySearch()
    {
        var random = new Random(2);
        return Collapse(Loop(random).Take(Length));

        static IEnumerable<ulong> Loop(Random random)
        {
            const ulong Words = 1 << 22;
            while (true)
            {
                ulong wanted = (ulong)random.NextInt64((long)Words);
                (ulong low, ulong high) = (0, Words);
                while (low < high)
                {
                    ulong middle = (low + high) / 2;
                    yield return Data + (middle * sizeof(ulong));
                    yield return Stack;
                    if (middle < wanted)
                        low = middle + 1;
                    else
                        high = middle;
                }
            }
        }
    }

    /// <summary>A copy of 8 MiB by words, over and over: the two streams lie in the same set of every array.</summary>
    public static PageReference[] Copy()
    {
        const ulong Bytes = 8 << 20;
        return Collapse(Enumerable.Range(0, Length).Select(i => Data + ((ulong)(i % 2) * Bytes) + ((ulong)(i / 2) * sizeof(ulong) % Bytes)));
    }

    /// <summary>Quicksort's partitions of 4 MiB of ints: two ends that meet. Not hard: collapsing does much.</summary>
    public static PageReference[] Partitions()
    {
        var random = new Random(3);
        return Collapse(Loop(random).Take(Length));

        static IEnumerable<ulong> Loop(Random random)
        {
            while (true)
            {
                ulong low = (ulong)random.Next(1 << 19);
                ulong high = low + (ulong)random.Next(1 << 19);
                while (low < high)
                {
                    ulong next = random.Next(2) == 0 ? low++ : --high;
                    yield return Data + (next * sizeof(int));
                }
            }
        }
    }

    private static PageReference[] Collapse(IEnumerable<ulong> addresses)
    {
        var references = new List<PageReference>();
        foreach (ulong address in addresses)
        {
            ulong page = address >> PageShift;
            if (references.Count > 0 && references[^1].Page == page)
                references[^1] = references[^1] with { Repeats = references[^1].Repeats + 1 };
            else
                references.Add(new PageReference(page, 1, 1));
        }

        return [.. references];
    }
}
