using Mmu86.Hypervisor.Swap;

namespace Mmu86.TestKit.Swap;

/// <summary>A swap device whose reads and writes end as a plan says. What is short moves the first half of its bytes; what fails or finds the device full moves none.</summary>
/// <param name="inner">The device below.</param>
/// <param name="reads">How the read of a number (from 0) ends.</param>
/// <param name="writes">How the write of a number ends.</param>
public sealed class FailingSwapDevice(ISwapDevice inner, Func<int, SwapStatus> reads, Func<int, SwapStatus> writes) : ISwapDevice
{
    private readonly Dictionary<long, (SwapStatus Status, long? Inner)> _planned = [];
    private int _reads;
    private int _writes;

    /// <inheritdoc/>
    public ulong SizeInBytes => inner.SizeInBytes;

    /// <inheritdoc/>
    public SwapStatus Read(ulong offset, Span<byte> destination)
    {
        SwapStatus status = reads(_reads++);
        if (status == SwapStatus.Done)
            return inner.Read(offset, destination);
        if (status == SwapStatus.ShortRead)
            _ = inner.Read(offset, destination[..(destination.Length / 2)]);
        return status;
    }

    /// <inheritdoc/>
    public long BeginWrite(ulong offset, ReadOnlyMemory<byte> source)
    {
        SwapStatus status = writes(_writes);
        long? begun = status switch
        {
            SwapStatus.Done => inner.BeginWrite(offset, source),
            SwapStatus.ShortWrite => inner.BeginWrite(offset, source[..(source.Length / 2)]),
            _ => null,
        };
        _planned.Add(_writes, (status, begun));
        return _writes++;
    }

    /// <inheritdoc/>
    public SwapStatus FinishWrite(long ticket)
    {
        _planned.Remove(ticket, out (SwapStatus Status, long? Inner) planned);
        SwapStatus below = planned.Inner is { } begun ? inner.FinishWrite(begun) : SwapStatus.Done;
        return planned.Status == SwapStatus.Done ? below : planned.Status;
    }

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();
}
