namespace Mmu86.GuestPrograms;

/// <summary>What the pages of <see cref="MemoryKernelGuest"/> have in them at first: words as a function of their places.</summary>
internal static class MemoryKernelContent
{
    /// <summary>Of the pages that all machines have alike.</summary>
    public const ulong ImageKey = 0x1A6E;

    /// <summary>Of the file.</summary>
    public const ulong FileKey = 0xF11E;

    /// <summary>Of a machine's own pages, to which its seed is added.</summary>
    public const ulong PrivateKey = 0x9417;

    private const ulong WordsPerPage = 512;

    /// <summary>One word; zero in a page without key.</summary>
    public static ulong Word(ulong? key, ulong page, ulong word)
    {
        if (key is null)
            return 0;
        ulong ofPage = OfPage(key.Value, page);
        return (word & 1) != 0 ? ofPage : Mix(unchecked(ofPage + word));
    }

    /// <summary>The sum of a page's words, each times its place among all words, counted from 1.</summary>
    public static ulong WeighedSum(ulong? key, ulong page)
    {
        if (key is null)
            return 0;
        ulong sum = 0, ofPage = OfPage(key.Value, page), first = (page * WordsPerPage) + 1;
        for (ulong word = 0; word < WordsPerPage; word += 2)
            sum = unchecked(sum + ((first + word) * Mix(ofPage + word)) + ((first + word + 1) * ofPage));
        return sum;
    }

    private static ulong OfPage(ulong key, ulong page) => Mix(unchecked(key + (page * 0x9E3779B97F4A7C15)));

    private static ulong Mix(ulong x)
    {
        const ulong Multiplier = 0xD6E8FEB86659FD93;
        x = unchecked((x ^ (x >> 32)) * Multiplier);
        x = unchecked((x ^ (x >> 32)) * Multiplier);
        return x ^ (x >> 32);
    }
}
