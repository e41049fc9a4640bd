namespace Mmu86.Hypervisor.Sharing;

/// <summary>The numbers below a power of two in an order that looks random: a bijection, so nothing need be remembered of what was had.</summary>
internal readonly struct RandomPermutation
{
    private readonly ulong _mask;
    private readonly int _shift;
    private readonly ulong _key;
    private readonly ulong _other;

    /// <summary>Makes one.</summary>
    /// <param name="bits">The numbers have so many bits.</param>
    /// <param name="seed">Another one, another order.</param>
    public RandomPermutation(int bits, ulong seed)
    {
        _mask = (1UL << bits) - 1;
        _shift = Math.Max(1, bits / 2);
        _key = Mix(seed);
        _other = Mix(_key);
    }

    /// <summary>How many numbers there are.</summary>
    public ulong Count => _mask + 1;

    /// <summary>The number at a place.</summary>
    /// <param name="place">Below <see cref="Count"/>.</param>
    public ulong this[ulong place]
    {
        get
        {
            // Each step can be undone: adding, multiplying by an odd number modulo the power of two, and folding high bits into low ones.
            ulong number = (place + _key) & _mask;
            number = number * 0x9E37_79B9_7F4A_7C15 & _mask;
            number ^= number >> _shift;
            number = (number ^ _other) & _mask;
            number = number * 0xD6E8_FEB8_6659_FD93 & _mask;
            return number ^ (number >> _shift);
        }
    }

    /// <summary>A number that depends on every bit of another.</summary>
    public static ulong Mix(ulong seed)
    {
        seed += 0x9E37_79B9_7F4A_7C15;
        seed = (seed ^ (seed >> 30)) * 0xBF58_476D_1CE4_E5B9;
        seed = (seed ^ (seed >> 27)) * 0x94D0_49BB_1331_11EB;
        return seed ^ (seed >> 31);
    }
}
