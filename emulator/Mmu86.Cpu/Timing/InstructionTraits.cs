namespace Mmu86.Cpu;

/// <summary>What sort of instruction it is, for timing.</summary>
[Flags]
public enum InstructionTraits : byte
{
    None = 0,

    /// <summary>It waits until everything before it is done: RDTSC, CPUID, fences, returns from handlers, privileged instructions.</summary>
    Serialises = 1,

    /// <summary>What it makes takes a cycle more than what it is made of; moves do not.</summary>
    Computes = 2,

    /// <summary>Its store reads the bytes first.</summary>
    Modifies = 4,
}
