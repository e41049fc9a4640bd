using Mmu86.Lab;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running;

/// <summary>A machine with AMD's nested paging runs every guest as one with EPT does.</summary>
public sealed class NestedFormatTests
{
    [Theory]
    [InlineData("hello", PageSize.Size4K)]
    [InlineData("quicksort 3000", PageSize.Size4K)]
    [InlineData("quicksort 3000", PageSize.Size2M)]
    [InlineData("gups 400 4000", PageSize.Size4K)]
    [InlineData("gups 40 4000", PageSize.Size2M)]
    [InlineData("kernel-demand-paging", PageSize.Size4K)]
    [InlineData("kernel-two-processes", PageSize.Size4K)]
    [Rule("N03")]
    public void Run_OnNestedPagesOfEitherFormat_GivesTheSameGuestResults(string guest, PageSize page)
    {
        RunTrace ept = SmallRuns.Run(SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, page), null, null);
        RunTrace npt = SmallRuns.Run(SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, page, "mmu.nested.format=npt"), null, null);
        RunTrace every = SmallRuns.Run(
            SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, page, "mmu.nested.format=npt", "mmu.lookUpEveryAccess=true"), null, null);

        Assert.Equal((ept.Output, ept.Exit), (npt.Output, npt.Exit));
        Assert.Matches("\"NestedPageFaults\": [0-9]", npt.Counts);
        Assert.DoesNotMatch("\"EptViolations\": [0-9]", npt.Counts);
        RunTrace.AssertSame(every, npt);
    }
}
