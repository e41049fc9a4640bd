using Mmu86.Hypervisor.Swap;

namespace Mmu86.Tests.Hypervisor.Swap;

/// <summary>Pages to swap.</summary>
internal static class Pages
{
    /// <summary>One that does not shrink.</summary>
    public static byte[] Noise(int seed)
    {
        byte[] page = new byte[SwapSlot.SizeInBytes];
        new Random(seed).NextBytes(page);
        return page;
    }

    /// <summary>One that shrinks to a few dozen bytes, other for each number.</summary>
    public static byte[] Text(int number)
    {
        byte[] page = new byte[SwapSlot.SizeInBytes];
        byte[] line = System.Text.Encoding.ASCII.GetBytes($"line of page {number}, as in a log\n");
        for (int i = 0; i < page.Length; i++)
            page[i] = line[i % line.Length];
        return page;
    }

    /// <summary>Of one kind or another: zeros, text, noise, sparse.</summary>
    public static byte[] Any(Random random)
    {
        switch (random.Next(5))
        {
            case 0:
                return new byte[SwapSlot.SizeInBytes];
            case 1:
                byte[] sparse = new byte[SwapSlot.SizeInBytes];
                sparse[random.Next(sparse.Length)] = 1;
                return sparse;
            case 2:
                return Noise(random.Next());
            default:
                return Text(random.Next());
        }
    }
}
