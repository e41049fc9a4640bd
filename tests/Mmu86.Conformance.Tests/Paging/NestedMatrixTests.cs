using Mmu86.TestKit.Rules;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>EPT entries of four guest tables and of the accessed page × A/D flags on and off × kinds of access, sampled, against the reference walker.</summary>
[LongTests]
public sealed class NestedMatrixTests
{
    [Fact]
    [Rule("E02")]
    [Rule("E03")]
    [Rule("E04")]
    [Rule("E05")]
    [Rule("E06")]
    [Rule("E07")]
    [Rule("E08")]
    [Rule("E09")]
    public void Access_SampledEptEntries_AgreesWithTheReference()
    {
        using var rigs = MatrixRigs.Nested(MmuUnderTest.Create);
        var log = new MismatchLog();
        var tally = new OutcomeTally();

        rigs.Run(TestTiers.Pick(4_000, 100_000, 2_000_000), log, tally);

        log.AssertNone();
        string[] sizes = ["Size4K", "Size2M", "Size1G"];
        tally.AssertMet(
        [
            .. Enumerable.Range(1, 24).Select(reference => $"EptViolation at reference {reference}"),
            .. Enumerable.Range(1, 4).Select(reference => $"EptMisconfiguration at reference {reference}"),
            .. sizes.SelectMany(guest => sizes.Select(ept => $"Translation {guest} {ept}")),
            "PageFault Present",
            "PageFault None",
        ]);
    }

    /// <summary>The test tested: an MMU that forgets that A/D flags of EPT make reads of guest entries writes is found out.</summary>
    [Fact]
    public void Access_MmuThatForgetsTheFlagsOfEpt_IsFoundOut()
    {
        using var rigs = MatrixRigs.Nested((configuration, memory) => new ReferenceMmu(memory, ReferenceCapabilities.Of(configuration))
        {
            Forgets = context => context with { Eptp = context.Eptp & ~(1UL << 6) },
        });
        var log = new MismatchLog();

        rigs.Run(400, log, new OutcomeTally());

        Assert.True(log.IsFull);
    }
}
