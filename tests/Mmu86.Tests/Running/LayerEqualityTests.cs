using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running;

/// <summary>Layers that must never differ: what a guest computes does not depend on how it is watched, modelled, nested or cut.</summary>
[LongTests]
public sealed class LayerEqualityTests(PlainRuns plain) : IClassFixture<PlainRuns>
{
    public static TheoryData<string> Guests => [.. SmallRuns.Guests];

    [Theory]
    [MemberData(nameof(Guests))]
    public void Output_InEveryFidelityAndPagingMode_IsTheExpectedOne(string guest)
    {
        string[] words = SmallRuns.Words(guest);
        IReadOnlyList<string> acceptable = GuestCatalogue.Find(words[0])!.AcceptableOutputs(
            new GuestBuildOptions { Arguments = words[1..], MemoryBytes = SmallRuns.MemoryBytes });
        foreach (Fidelity fidelity in new[] { Fidelity.Fast, Fidelity.Tlb, Fidelity.Cycles })
        {
            foreach (PagingMode paging in new[] { PagingMode.Native, PagingMode.Nested })
            {
                RunTrace run = plain.Of(guest, paging, fidelity);
                Assert.Contains(run.Output, acceptable);
                Assert.Equal("Exited", run.Exit.Split(' ')[0]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void Counts_FilteredAndLookedUpOnEveryAccess_AreEqual(string guest)
    {
        foreach (PagingMode paging in new[] { PagingMode.Native, PagingMode.Nested })
        {
            RunTrace filtered = plain.Of(guest, paging, Fidelity.Tlb);
            RunTrace every = SmallRuns.Run(
                SmallRuns.Options(guest, paging, Fidelity.Tlb, PageSize.Size4K, "mmu.lookUpEveryAccess=true"), null, null);
            RunTrace.AssertSame(every, filtered);
        }
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void Counts_ObservedAndUnobserved_AreEqual(string guest)
    {
        var observer = new CountingObserver();
        RunTrace observed = SmallRuns.Run(SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K), null, observer);
        RunTrace.AssertSame(plain.Of(guest, PagingMode.Nested, Fidelity.Tlb), observed);
        Assert.True(observer.Translations > 0);
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void Counts_RunInSlicesOfRandomLength_AreThoseOfOneRun(string guest)
    {
        RunTrace whole = plain.Of(guest, PagingMode.Native, Fidelity.Tlb);
        for (int seed = 1; seed <= TestTiers.Pick(1, 3, 20); seed++)
        {
            RunTrace cut = SmallRuns.Run(SmallRuns.Options(guest, PagingMode.Native, Fidelity.Tlb, PageSize.Size4K), Slices(seed), null);
            RunTrace.AssertSame(whole, cut);
        }
    }

    [Theory]
    [InlineData("quicksort 3000")]
    [InlineData("gups 40 4000")]
    [InlineData("strings 2")]
    public void Counts_WithLargePages_AreEqualFilteredAndLookedUpOnEveryAccess(string guest)
    {
        foreach (PagingMode paging in new[] { PagingMode.Native, PagingMode.Nested })
        {
            RunTrace filtered = SmallRuns.Run(SmallRuns.Options(guest, paging, Fidelity.Tlb, PageSize.Size2M), null, null);
            RunTrace every = SmallRuns.Run(
                SmallRuns.Options(guest, paging, Fidelity.Tlb, PageSize.Size2M, "mmu.lookUpEveryAccess=true"), null, null);
            RunTrace.AssertSame(every, filtered);
        }
    }

    [Theory]
    [MemberData(nameof(Guests))]
    [Rule("T14")]
    public void Run_Twice_IsTheSameToTheLastCount(string guest) =>
        RunTrace.AssertSame(
            plain.Of(guest, PagingMode.Nested, Fidelity.Tlb),
            SmallRuns.Run(SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K), null, null));

    // Mostly long slices, some of a few instructions, so that every way into and out of a block is met.
    private static IEnumerator<ulong> Slices(int seed)
    {
        var random = new Random(seed);
        while (true)
            yield return (ulong)(random.Next(4) == 0 ? random.Next(1, 70) : random.Next(100, 20_000));
    }

    private sealed class CountingObserver : ITranslationObserver
    {
        public ulong Translations { get; private set; }

        public void Translated(WalkTrace trace) => Translations++;
    }
}
