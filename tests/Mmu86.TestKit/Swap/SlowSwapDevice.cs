using Mmu86.Hypervisor.Swap;

namespace Mmu86.TestKit.Swap;

/// <summary>A swap device that dawdles in real time now and then, as a busy host's would. Simulated time must not notice.</summary>
/// <param name="inner">The device below.</param>
/// <param name="random">Decides when.</param>
public sealed class SlowSwapDevice(ISwapDevice inner, Random random) : ISwapDevice
{
    /// <inheritdoc/>
    public ulong SizeInBytes => inner.SizeInBytes;

    /// <inheritdoc/>
    public SwapStatus Read(ulong offset, Span<byte> destination)
    {
        Dawdle();
        return inner.Read(offset, destination);
    }

    /// <inheritdoc/>
    public long BeginWrite(ulong offset, ReadOnlyMemory<byte> source)
    {
        Dawdle();
        return inner.BeginWrite(offset, source);
    }

    /// <inheritdoc/>
    public SwapStatus FinishWrite(long ticket)
    {
        Dawdle();
        return inner.FinishWrite(ticket);
    }

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();

    private void Dawdle()
    {
        if (random.Next(16) == 0)
            Thread.Sleep(random.Next(3));
    }
}
