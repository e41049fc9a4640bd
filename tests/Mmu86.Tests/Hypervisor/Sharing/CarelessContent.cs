using Mmu86.Hypervisor.Sharing;

namespace Mmu86.Tests.Hypervisor.Sharing;

/// <summary>The seeded bug: what has the same hash is believed to be the same, and the hash is of a part of the page.</summary>
internal sealed class CarelessContent : IPageContent
{
    public ulong Hash(ReadOnlySpan<byte> page) => BitConverter.ToUInt64(page);

    public bool AreEqual(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) => true;
}
