namespace Mmu86.TestKit.HostCpu;

/// <summary>Whether cases may lock an operand that crosses a cache line.</summary>
public enum SplitLocks
{
    /// <summary>Never: kernels that police split locks slow the whole process down or kill it.</summary>
    Avoided,

    /// <summary>Sometimes.</summary>
    Allowed,
}
