using Mmu86.Hypervisor.Frames;

namespace Mmu86.Hypervisor;

/// <summary>How a host treats its frames.</summary>
public sealed record VirtualHostOptions
{
    /// <summary>Frames are zeroed before they are given out again, and nobody looks whether they were.</summary>
    public static VirtualHostOptions Standard { get; } = new() { Scrubber = new ZeroingScrubber(), AuditsIsolation = false };

    /// <summary>Who zeroes frames that change their owner.</summary>
    public required IFrameScrubber Scrubber { get; init; }

    /// <summary>Whether the bytes of every frame are looked at before it is mapped as fresh memory.</summary>
    public required bool AuditsIsolation { get; init; }
}
