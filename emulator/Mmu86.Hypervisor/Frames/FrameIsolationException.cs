using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <summary>A frame was about to show one machine what another left in it: a bug of the hypervisor, found by its audit.</summary>
public sealed class FrameIsolationException : Exception
{
    /// <summary>Makes one.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="owner">Who was to get it.</param>
    /// <param name="lastOwner">Who had it before; <see cref="HostFrameAllocator.Nobody"/> where nobody had.</param>
    /// <param name="wasScrubbed">Whether it was said to be zeroed since.</param>
    public FrameIsolationException(HostFrameNumber frame, ushort owner, ushort lastOwner, bool wasScrubbed)
        : base($"Frame {frame.Address} was to be mapped for owner {owner} and is not zero: {(lastOwner == HostFrameAllocator.Nobody ? "nobody owned it before" : $"owner {lastOwner} had it before")}, and it was {(wasScrubbed ? "" : "not ")}scrubbed since.") =>
        Frame = frame;

    /// <summary>Makes one.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="message">What is wrong, in a sentence.</param>
    internal FrameIsolationException(HostFrameNumber frame, string message)
        : base(message) => Frame = frame;

    /// <summary>The frame.</summary>
    public HostFrameNumber Frame { get; }
}
