using Mmu86.Hypervisor.Swap;

namespace Mmu86.TestKit.Swap;

/// <summary>A swap device in memory on which every write lands when it begins.</summary>
public sealed class MemorySwapDevice(int pages) : ISwapDevice
{
    private readonly byte[] _bytes = new byte[pages * SwapSlot.SizeInBytes];
    private readonly HashSet<long> _begun = [];
    private long _tickets;

    /// <summary>What is on it.</summary>
    public Span<byte> Bytes => _bytes;

    /// <summary>Every read so far, by offset and length.</summary>
    public List<(ulong Offset, int Bytes)> Reads { get; } = [];

    /// <summary>Every write so far, by offset and length.</summary>
    public List<(ulong Offset, int Bytes)> Writes { get; } = [];

    /// <summary>Whether it was disposed of.</summary>
    public bool IsDisposed { get; private set; }

    /// <inheritdoc/>
    public ulong SizeInBytes => (ulong)_bytes.Length;

    /// <inheritdoc/>
    public SwapStatus Read(ulong offset, Span<byte> destination)
    {
        Reads.Add((offset, destination.Length));
        _bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
        return SwapStatus.Done;
    }

    /// <inheritdoc/>
    public long BeginWrite(ulong offset, ReadOnlyMemory<byte> source)
    {
        Writes.Add((offset, source.Length));
        source.Span.CopyTo(_bytes.AsSpan((int)offset));
        _begun.Add(_tickets);
        return _tickets++;
    }

    /// <inheritdoc/>
    public SwapStatus FinishWrite(long ticket) =>
        _begun.Remove(ticket) ? SwapStatus.Done : throw new InvalidOperationException($"Write {ticket} was not begun, or is finished.");

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_begun.Count != 0)
            throw new InvalidOperationException($"{_begun.Count} writes were never finished.");
        IsDisposed = true;
    }
}
