using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>Gives out frames of the emulated host's RAM, each zeroed: single ones from the bottom, large aligned runs above them.</summary>
/// <remarks>
/// Frames are given out in ascending order and skip the device hole. Memory is fresh from the operating system, so a frame that was
/// never given out is zero already.
/// </remarks>
public sealed class HostFrameAllocator
{
    private readonly HostMemory _host;
    private ulong _next;

    /// <summary>Makes an allocator over all of a host's RAM.</summary>
    /// <param name="host">The RAM. The first frame is left out: address 0 never names a table.</param>
    public HostFrameAllocator(HostMemory host)
    {
        _host = host;
        _next = 4096;
    }

    /// <summary>Frames of 4 KiB given out.</summary>
    public ulong FramesUsed { get; private set; }

    /// <summary>Takes a naturally aligned run of frames.</summary>
    /// <param name="size">The length and alignment of the run.</param>
    /// <param name="start">Its first byte.</param>
    /// <returns>False where the host has no such run left.</returns>
    public bool TryTake(PageSize size, out HostPhysicalAddress start)
    {
        ulong bytes = size.Bytes();
        ulong at = Align(_next, bytes);
        if (!_host.IsRam(new HostPhysicalAddress(at), bytes))
            at = Align(Math.Max(at, HostMemory.HoleEnd), bytes);
        start = new HostPhysicalAddress(at);
        if (!_host.IsRam(start, bytes))
            return false;
        _next = at + bytes;
        FramesUsed += bytes >> 12;
        return true;
    }

    private static ulong Align(ulong address, ulong bytes) => (address + bytes - 1) & ~(bytes - 1);
}
