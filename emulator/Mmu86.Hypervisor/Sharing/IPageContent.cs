using System.IO.Hashing;

namespace Mmu86.Hypervisor.Sharing;

/// <summary>How pages are told apart.</summary>
public interface IPageContent
{
    /// <summary>A hash of a page: equal pages have equal hashes, and unequal ones seldom.</summary>
    /// <param name="page">4096 bytes.</param>
    ulong Hash(ReadOnlySpan<byte> page);

    /// <summary>Whether two pages are the same, byte for byte: what the hash cannot prove.</summary>
    /// <param name="left">4096 bytes.</param>
    /// <param name="right">4096 bytes.</param>
    bool AreEqual(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right);
}

/// <summary>XXH3 with 64 bits and a seed, and a look at every byte.</summary>
/// <param name="seed">Keeps pages made to collide on one host from colliding on another.</param>
public sealed class PageContent(ulong seed) : IPageContent
{
    /// <inheritdoc/>
    public ulong Hash(ReadOnlySpan<byte> page) => XxHash3.HashToUInt64(page, unchecked((long)seed));

    /// <inheritdoc/>
    public bool AreEqual(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) => left.SequenceEqual(right);
}
