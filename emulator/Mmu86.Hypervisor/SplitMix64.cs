namespace Mmu86.Hypervisor;

/// <summary>Random numbers from a seed: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (2014).</summary>
internal struct SplitMix64(ulong seed)
{
    private ulong _state = seed;

    /// <summary>What decides all numbers to come: the seed of one that gives them.</summary>
    public readonly ulong State => _state;

    /// <summary>The next number.</summary>
    public ulong Next()
    {
        ulong mixed = _state += 0x9E37_79B9_7F4A_7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB;
        return mixed ^ (mixed >> 31);
    }
}
