using Mmu86.Memory;
using Mmu86.Paging;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>The one place where conformance tests make an MMU.</summary>
internal static class MmuUnderTest
{
    /// <summary>An MMU with exact statistics, as ordinary runs have it.</summary>
    public static IMmu Create(MmuConfiguration configuration, HostMemory memory) => new Mmu<Unobserved>(memory, configuration, default);
}
