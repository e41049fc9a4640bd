using Mmu86.Hypervisor.Swap;

namespace Mmu86.TestKit.Swap;

/// <summary>A swap device that damages pages and says nothing of it.</summary>
/// <param name="inner">The device below.</param>
/// <param name="damage">What happens to the page of a number (from 0, in the order of writing).</param>
public sealed class TornSwapDevice(ISwapDevice inner, Func<int, PageDamage> damage) : ISwapDevice
{
    private int _pages;

    /// <summary>Offsets of the pages that are damaged now: the last write there was.</summary>
    public HashSet<ulong> Damaged { get; } = [];

    /// <inheritdoc/>
    public ulong SizeInBytes => inner.SizeInBytes;

    /// <inheritdoc/>
    public SwapStatus Read(ulong offset, Span<byte> destination) => inner.Read(offset, destination);

    /// <inheritdoc/>
    public long BeginWrite(ulong offset, ReadOnlyMemory<byte> source)
    {
        byte[] bytes = source.ToArray();
        for (int at = 0; at + SwapSlot.SizeInBytes <= bytes.Length; at += SwapSlot.SizeInBytes)
        {
            PageDamage what = damage(_pages++);
            Span<byte> page = bytes.AsSpan(at, SwapSlot.SizeInBytes);
            Span<byte> before = new byte[SwapSlot.SizeInBytes];
            _ = inner.Read(offset + (ulong)at, before);
            _ = Damaged.Remove(offset + (ulong)at);
            switch (what)
            {
                case PageDamage.None:
                    continue;
                case PageDamage.Torn:
                    before[(SwapSlot.SizeInBytes / 2)..].CopyTo(page[(SwapSlot.SizeInBytes / 2)..]);
                    break;
                case PageDamage.FlippedBit:
                    page[_pages % SwapSlot.SizeInBytes] ^= (byte)(1 << (_pages % 8));
                    break;
                case PageDamage.Lost:
                    before.CopyTo(page);
                    break;
                default:
                    throw new InvalidOperationException($"{what}");
            }

            if (!page.SequenceEqual(source.Span.Slice(at, SwapSlot.SizeInBytes)))
                Damaged.Add(offset + (ulong)at);
        }

        return inner.BeginWrite(offset, bytes);
    }

    /// <inheritdoc/>
    public SwapStatus FinishWrite(long ticket) => inner.FinishWrite(ticket);

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();
}
