namespace Mmu86.Hypervisor.Swap;

/// <summary>Where swapped pages really go: bytes at offsets. Simulated time is not its affair but <see cref="ISwapTiming"/>'s.</summary>
/// <remarks>Called by one thread. Errors are values; an exception is a mistake of the caller.</remarks>
public interface ISwapDevice : IDisposable
{
    /// <summary>The most bytes that it holds.</summary>
    ulong SizeInBytes { get; }

    /// <summary>Reads bytes whose writes have been finished.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="destination">Undefined unless the result is <see cref="SwapStatus.Done"/>.</param>
    SwapStatus Read(ulong offset, Span<byte> destination);

    /// <summary>Begins a write. May wait while many are under way. Writes take effect in the order in which they were begun.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="source">Stays as it is until <see cref="FinishWrite"/> has returned.</param>
    /// <returns>A ticket to finish it with, exactly once.</returns>
    long BeginWrite(ulong offset, ReadOnlyMemory<byte> source);

    /// <summary>Waits until a write has ended.</summary>
    /// <returns>How it ended; unless it is <see cref="SwapStatus.Done"/>, the bytes at the offset are undefined.</returns>
    SwapStatus FinishWrite(long ticket);
}
