using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <summary>Makes a frame that had an owner fit for the next one.</summary>
public interface IFrameScrubber
{
    /// <summary>Fills frames with zeros. Nobody owns them, and nothing can reach them.</summary>
    /// <param name="memory">The RAM of the host.</param>
    /// <param name="start">The first byte; a frame boundary.</param>
    /// <param name="length">In bytes: whole frames.</param>
    void Scrub(HostMemory memory, HostPhysicalAddress start, ulong length);
}

/// <summary>Writes zeros.</summary>
public sealed class ZeroingScrubber : IFrameScrubber
{
    /// <inheritdoc/>
    public void Scrub(HostMemory memory, HostPhysicalAddress start, ulong length) => memory.Clear(start, length);
}
