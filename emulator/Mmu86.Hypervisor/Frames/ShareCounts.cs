using System.Diagnostics;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <summary>How many entries of nested tables lead to each shared frame: 16 bits a frame, and a dictionary for the few that need more.</summary>
/// <remarks>As ESX has it: nearly every frame has few sharers, and the frame of zeros may have any number.</remarks>
internal sealed class ShareCounts
{
    // This value says that the count is in the dictionary.
    private const ushort Overflowed = ushort.MaxValue;

    private readonly FrameTable<ushort> _counts;
    private readonly Dictionary<ulong, ulong> _overflow = [];

    /// <summary>Makes a table of zeros.</summary>
    /// <param name="frames">One more than the highest frame number.</param>
    public ShareCounts(ulong frames) => _counts = new FrameTable<ushort>(frames);

    /// <summary>Frames whose count does not fit 16 bits.</summary>
    public int Overflows => _overflow.Count;

    /// <summary>The count of a frame.</summary>
    public ulong this[HostFrameNumber frame] => _counts[frame] is var count && count != Overflowed ? count : _overflow[frame.Value];

    /// <summary>One more.</summary>
    public void Increment(HostFrameNumber frame)
    {
        ushort count = _counts[frame];
        if (count == Overflowed)
            _overflow[frame.Value]++;
        else if (count == Overflowed - 1)
            _overflow[frame.Value] = Overflowed;
        if (count != Overflowed)
            _counts[frame] = (ushort)(count + 1);
    }

    /// <summary>One less.</summary>
    /// <returns>What is left.</returns>
    /// <exception cref="UnreachableException">It is 0.</exception>
    public ulong Decrement(HostFrameNumber frame)
    {
        ushort count = _counts[frame];
        if (count == 0)
            throw new UnreachableException($"Frame {frame.Address} is shared by nobody.");
        if (count == Overflowed && --_overflow[frame.Value] >= Overflowed)
            return _overflow[frame.Value];
        if (count == Overflowed)
            _overflow.Remove(frame.Value);
        _counts[frame] = (ushort)(count - 1);
        return (ulong)count - 1;
    }
}
