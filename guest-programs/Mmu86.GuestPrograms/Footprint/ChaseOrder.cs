namespace Mmu86.GuestPrograms;

/// <summary>The random cycle through all pages that chases follow: Sattolo's shuffle.</summary>
public static class ChaseOrder
{
    internal const ulong Seed = 0x4D4D_5586;

    /// <summary>Which page comes after each.</summary>
    /// <param name="pages">How many there are, at least 1.</param>
    public static ulong[] Successors(ulong pages)
    {
        var successor = new ulong[pages];
        for (ulong i = 0; i < pages; i++)
            successor[i] = i;
        var random = new LinearCongruence(Seed);
        for (ulong i = pages - 1; i > 0; i--)
        {
            ulong other = random.NextBelow(i);
            (successor[i], successor[other]) = (successor[other], successor[i]);
        }

        return successor;
    }
}
