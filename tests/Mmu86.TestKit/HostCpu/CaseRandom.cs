namespace Mmu86.TestKit.HostCpu;

/// <summary>Random numbers that are the same for a seed on every platform and version: SplitMix64.</summary>
public sealed class CaseRandom
{
    private ulong _state;

    /// <summary>Makes the stream that belongs to a seed and an index; streams of neighbours have nothing in common.</summary>
    public CaseRandom(ulong seed, ulong index) => _state = Mix(seed) ^ Mix(index + 0x632B_E59B_D9B4_E019);

    /// <summary>64 random bits.</summary>
    public ulong Next()
    {
        _state = unchecked(_state + 0x9E37_79B9_7F4A_7C15);
        return Mix(_state);
    }

    /// <summary>A number from 0 to <paramref name="bound"/> - 1.</summary>
    public int Below(int bound) => (int)(((UInt128)Next() * (ulong)bound) >> 64);

    /// <summary>True in so many of a hundred cases.</summary>
    public bool Percent(int percent) => Below(100) < percent;

    /// <summary>One of the items.</summary>
    public T Pick<T>(ReadOnlySpan<T> items) => items[Below(items.Length)];

    /// <summary>A value on which arithmetic of some width is likely to go wrong, or a random one.</summary>
    public ulong Corner()
    {
        int width = 8 << Below(4);
        ulong sign = 1UL << (width - 1);
        ulong mask = sign | (sign - 1);
        ulong low = Below(12) switch
        {
            0 => 0,
            1 => 1,
            2 => mask,
            3 => sign,
            4 => sign - 1,
            5 => (ulong)Below(70),
            6 => (ulong)-Below(70),
            7 => 1UL << Below(64),
            8 => (1UL << Below(64)) - 1,
            9 => 0x5555_5555_5555_5555UL << Below(2),
            _ => Next(),
        };
        // What lies above the width must not matter: zeros, ones, or noise.
        ulong high = Below(3) switch { 0 => 0, 1 => ulong.MaxValue, _ => Next() };
        return (low & mask) | (high & ~mask);
    }

    private static ulong Mix(ulong value)
    {
        value = unchecked((value ^ (value >> 30)) * 0xBF58_476D_1CE4_E5B9);
        value = unchecked((value ^ (value >> 27)) * 0x94D0_49BB_1331_11EB);
        return value ^ (value >> 31);
    }
}
