using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Hands out frames one after the other, so that a test knows where its tables lie.</summary>
/// <param name="first">The first frame.</param>
/// <param name="count">How many there are.</param>
public sealed class FrameAllocator(HostFrameNumber first, ulong count)
{
    private ulong _used;

    /// <summary>The next frame.</summary>
    /// <exception cref="InvalidOperationException">All frames are used.</exception>
    public HostFrameNumber Allocate()
    {
        if (_used == count)
            throw new InvalidOperationException($"The test asked for more than its {count} frames.");
        return new HostFrameNumber(first.Value + _used++);
    }
}
