using Mmu86.Lab.Machines;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>How many pages a preset holds: a page more, and rounds over all of them miss.</summary>
public sealed class PresetKneeTests
{
    private const ulong Start = 0x1_0000_0000;
    private const int Warmth = 3;

    public enum Level
    {
        First,
        Second,
    }

    // Golden Cove, Zen 5 and Gracemont: where curves measured on silicon have their knees. The others: their entries.
    [Theory]
    [InlineData("golden-cove", AccessKind.Read, Level.First, 1, 96)]
    [InlineData("golden-cove", AccessKind.Write, Level.First, 1, 16)]
    [InlineData("golden-cove", AccessKind.Fetch, Level.First, 1, 256)]
    [InlineData("golden-cove", AccessKind.Fetch, Level.First, 8, 32)]
    [InlineData("golden-cove", AccessKind.Fetch, Level.First, 16, 16)]
    [InlineData("golden-cove", AccessKind.Fetch, Level.First, 32, 8)]
    [InlineData("golden-cove", AccessKind.Fetch, Level.First, 64, 8)]
    [InlineData("golden-cove", AccessKind.Read, Level.Second, 1, 2048)]
    [InlineData("zen5", AccessKind.Read, Level.First, 1, 96)]
    [InlineData("zen5", AccessKind.Read, Level.Second, 1, 4096)]
    [InlineData("zen5", AccessKind.Fetch, Level.First, 1, 64)]
    [InlineData("zen5", AccessKind.Fetch, Level.Second, 1, 2048)]
    [InlineData("gracemont", AccessKind.Read, Level.First, 1, 48)]
    [InlineData("gracemont", AccessKind.Read, Level.Second, 1, 2048)]
    [InlineData("gracemont", AccessKind.Fetch, Level.First, 1, 64)]
    [InlineData("nehalem", AccessKind.Read, Level.Second, 1, 512)]
    [InlineData("haswell", AccessKind.Read, Level.First, 1, 64)]
    [InlineData("haswell", AccessKind.Read, Level.Second, 1, 1024)]
    [InlineData("zen2", AccessKind.Fetch, Level.Second, 1, 512)]
    [InlineData("zen3", AccessKind.Read, Level.Second, 1, 2048)]
    [InlineData("zen4", AccessKind.Read, Level.First, 1, 72)]
    [InlineData("zen4", AccessKind.Read, Level.Second, 1, 3072)]
    public void Rounds_OverAsManyPagesAsALevelHolds_HitAndOverOneMoreMiss(string preset, AccessKind kind, Level level, int stride, int pages)
    {
        Assert.Equal(0ul, Misses(preset, kind, level, stride, pages));
        Assert.NotEqual(0ul, Misses(preset, kind, level, stride, pages + 1));
    }

    // Contiguous pages, once through in order in each round; all map to one frame, which is no matter to a TLB.
    private static ulong Misses(string preset, AccessKind kind, Level level, int stride, int pages)
    {
        using var world = new World();
        for (ulong i = 0; i < (ulong)pages; i++)
            world.Map(Start + (i * (ulong)stride << 12), 0x80_0000, PageSize.Size4K, PagingEntry.Present | PagingEntry.Writable | PagingEntry.User);
        Mmu<Unobserved> mmu = world.Mmu(MachineCatalogue.Preset(preset).ToMmuConfiguration(seed: 1));
        ulong before = 0;
        for (int round = 0; round <= Warmth; round++)
        {
            before = Count(mmu.Statistics);
            for (ulong i = 0; i < (ulong)pages; i++)
                Assert.True(mmu.TryTranslate(new LinearAddress(Start + (i * (ulong)stride << 12)), kind, AccessMode.User, out _));
        }

        return Count(mmu.Statistics) - before;

        ulong Count(MmuStatistics statistics) => (level, kind) switch
        {
            (Level.Second, _) => statistics.Walks.Count,
            (_, AccessKind.Fetch) => statistics.L1Instruction.Misses,
            _ => statistics.L1Data.Misses,
        };
    }
}
