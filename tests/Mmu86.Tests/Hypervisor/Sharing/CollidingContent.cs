using Mmu86.Hypervisor.Sharing;

namespace Mmu86.Tests.Hypervisor.Sharing;

/// <summary>A hash so weak that most pages collide.</summary>
internal sealed class CollidingContent : IPageContent
{
    public ulong Hash(ReadOnlySpan<byte> page) => (ulong)page[0] & 1;

    public bool AreEqual(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) => left.SequenceEqual(right);
}
