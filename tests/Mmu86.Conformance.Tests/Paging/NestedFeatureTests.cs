using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Rules;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>
/// Everything that the second dimension decides, sampled against the reference walkers: six accesses a case, cold, warm, and after a
/// change with the invalidation that it needs.
/// </summary>
[LongTests]
public sealed class NestedFeatureTests
{
    [Fact]
    [Rule("E02")]
    [Rule("E03")]
    [Rule("E04")]
    [Rule("E05")]
    [Rule("E06")]
    [Rule("E07")]
    [Rule("E09")]
    [Rule("E10")]
    [Rule("E16")]
    [Rule("E17")]
    [Rule("E19")]
    [Rule("E21")]
    [Rule("E22")]
    [Rule("E23")]
    [Rule("F03")]
    public void Access_SampledEptWithEveryControl_AgreesWithTheReference()
    {
        using var rigs = new NestedFeatureRigs(NestedFormat.Ept);
        var log = new MismatchLog();
        var tally = new OutcomeTally();

        rigs.Run(TestTiers.Pick(8_000, 40_000, 1_000_000), log, tally);

        log.AssertNone();
        tally.AssertMet(
        [
            .. Enumerable.Range(1, 24).Select(reference => $"EptViolation at reference {reference}"),
            .. Enumerable.Range(1, 24).Select(reference => $"EptMisconfiguration at reference {reference}"),
            "PageModificationLogFull at reference 4",
            "PageModificationLogFull at reference 24",
            "SubPageMiss at reference 25",
            "SubPageMisconfiguration at reference 28",
            "PageFault Present",
            "PageFault HypervisorManaged",
            "PageFault Present, Reserved, HypervisorManaged",
            "EptViolation by verification",
        ]);
    }

    [Fact]
    [Rule("N01")]
    [Rule("N02")]
    [Rule("N03")]
    [Rule("N04")]
    [Rule("N05")]
    [Rule("N06")]
    [Rule("N08")]
    [Rule("N11")]
    public void Access_SampledNestedTablesOfAmd_AgreesWithTheReference()
    {
        using var rigs = new NestedFeatureRigs(NestedFormat.Npt);
        var log = new MismatchLog();
        var tally = new OutcomeTally();

        rigs.Run(TestTiers.Pick(8_000, 30_000, 1_000_000), log, tally);

        log.AssertNone();
        tally.AssertMet(
        [
            .. Enumerable.Range(1, 24).Select(reference => $"NestedPageFault at reference {reference}"),
            "PageFault Present",
        ]);
    }

    /// <summary>The test tested: an MMU that forgets a control is found out.</summary>
    [Theory]
    [InlineData("all controls")]
    [InlineData("five levels")]
    [InlineData("accessed and dirty flags")]
    [InlineData("paging-write control")]
    [InlineData("guest-paging verification")]
    [InlineData("hypervisor-managed tables")]
    public void Access_MmuThatForgetsAControl_IsFoundOut(string forgotten)
    {
        Func<PagingContext, PagingContext> spoil = forgotten switch
        {
            "all controls" => context => context with { Nested = null },
            "paging-write control" => context => context with { Nested = Copy(context.Nested, isPagingWrite: false) },
            "guest-paging verification" => context => context with { Nested = Copy(context.Nested, isVerifying: false) },
            "hypervisor-managed tables" => context => context with { Nested = Copy(context.Nested, hasHlat: false) },
            "five levels" => context => context with { Eptp = (context.Eptp & ~EptPointer.LevelsMask) | EptPointer.FourLevels },
            _ => context => context with { Eptp = context.Eptp & ~EptPointer.AccessedAndDirty },
        };
        using var rigs = new NestedFeatureRigs(NestedFormat.Ept, spoil);
        var log = new MismatchLog();

        rigs.Run(1000, log, new OutcomeTally());

        Assert.True(log.IsFull);
    }

    // The index of the log moves in the original.
    private static NestedControls? Copy(NestedControls? controls, bool isPagingWrite = true, bool isVerifying = true, bool hasHlat = true) => controls is null ? null : new()
    {
        ModeBasedExecute = controls.ModeBasedExecute,
        PageModificationLog = controls.PageModificationLog,
        PageModificationIndex = controls.PageModificationIndex,
        VirtualizationExceptionArea = controls.VirtualizationExceptionArea,
        SubPagePermissionTable = controls.SubPagePermissionTable,
        PagingWrite = isPagingWrite && controls.PagingWrite,
        GuestPagingVerification = isVerifying && controls.GuestPagingVerification,
        HlatPointer = hasHlat ? controls.HlatPointer : null,
        HlatPrefixSize = controls.HlatPrefixSize,
    };
}
