using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <summary>The audit of isolation: who had each frame last, whether it was zeroed since, and a look at its bytes whenever it is mapped.</summary>
/// <remarks>Costs a read of every frame that is mapped. What the allocator believes is not enough: the bytes themselves are read.</remarks>
public sealed partial class FrameAudit
{
    // Bits 15:0 are the last owner, above them whether the frame was scrubbed since.
    private const uint ScrubbedBit = 1u << 16;

    private readonly HostMemory _memory;
    private readonly FrameTable<uint> _frames;

    /// <summary>Begins an audit of a host of which no frame was given out yet.</summary>
    public FrameAudit(HostMemory memory)
    {
        _memory = memory;
        _frames = new FrameTable<uint>(HostFrameAllocator.FrameLimit(memory));
        _shared = new FrameTable<ulong>(HostFrameAllocator.FrameLimit(memory));
    }

    /// <summary>How often a frame was looked at.</summary>
    public ulong Checks { get; private set; }

    /// <summary>Who gave the frame back last; <see cref="HostFrameAllocator.Nobody"/> where nobody did.</summary>
    public ushort LastOwner(HostFrameNumber frame) => (ushort)_frames[frame];

    /// <summary>Looks at frames that are about to be mapped as fresh memory, or to hold tables.</summary>
    /// <param name="start">The first byte.</param>
    /// <param name="length">In bytes: whole frames.</param>
    /// <param name="owner">Who gets them.</param>
    /// <exception cref="FrameIsolationException">One of them is not all zero.</exception>
    public void RequireZero(HostPhysicalAddress start, ulong length, ushort owner)
    {
        for (ulong at = start.Value; at < start.Value + length; at += 4096)
        {
            HostFrameNumber frame = new HostPhysicalAddress(at).Frame;
            Checks++;
            if (_memory.Frame(frame).ContainsAnyExcept((byte)0))
                throw new FrameIsolationException(frame, owner, LastOwner(frame), (_frames[frame] & ScrubbedBit) != 0);
        }
    }

    internal void NoteReturned(HostFrameNumber frame, ushort owner) => _frames[frame] = owner;

    internal void NoteScrubbed(HostPhysicalAddress start, ulong length)
    {
        for (ulong at = start.Value; at < start.Value + length; at += 4096)
        {
            HostFrameNumber frame = new HostPhysicalAddress(at).Frame;
            _frames[frame] |= ScrubbedBit;
        }
    }
}
