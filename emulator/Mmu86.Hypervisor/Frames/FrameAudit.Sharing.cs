using System.IO.Hashing;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <content>Shared frames: equal when they become one, and never written while they are.</content>
public sealed partial class FrameAudit
{
    // Another hash than sharing has: what deceives one need not deceive the other.
    private const long Seed = 0x5A5A_2026;

    private readonly FrameTable<ulong> _shared;

    /// <summary>Looks at a frame that is about to take the place of another.</summary>
    /// <param name="kept">The frame that is shared.</param>
    /// <param name="given">The frame whose owner is to see the other instead.</param>
    /// <param name="owner">That owner.</param>
    /// <exception cref="FrameIsolationException">Their bytes are not the same.</exception>
    public void RequireEqual(HostFrameNumber kept, HostFrameNumber given, ushort owner)
    {
        Checks++;
        if (!_memory.Frame(kept).SequenceEqual(_memory.Frame(given)))
            throw new FrameIsolationException(kept, $"Frame {kept.Address} was to be shared with owner {owner} in place of {given.Address}, and their bytes are not the same.");
    }

    /// <summary>Looks at a shared frame: its bytes must be those that it had when it was shared first.</summary>
    /// <exception cref="FrameIsolationException">They are not.</exception>
    public void RequireUnchanged(HostFrameNumber frame)
    {
        Checks++;
        if (XxHash3.HashToUInt64(_memory.Frame(frame), Seed) != _shared[frame])
            throw new FrameIsolationException(frame, $"Frame {frame.Address} was written while it was shared.");
    }

    internal void NoteShared(HostFrameNumber frame) => _shared[frame] = XxHash3.HashToUInt64(_memory.Frame(frame), Seed);
}
