using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Every paging mode: entries at every level and page size × controls × keys × modes and kinds of access, sampled, each against the reference walker.</summary>
/// <remarks>Each case is six accesses: cold, warm, warm under other controls (twice), after an invalidation, and after a change with its invalidation.</remarks>
[LongTests]
public sealed class PagingModeMatrixTests
{
    private const int CiCases = 75_000;
    private const int SoakCases = 1_500_000;

    [Theory]
    [InlineData(GuestPagingMode.Bits32, "Size4K Size4M")]
    [InlineData(GuestPagingMode.Pae, "Size4K Size2M")]
    [InlineData(GuestPagingMode.FourLevel, "Size4K Size2M Size1G")]
    [InlineData(GuestPagingMode.FiveLevel, "Size4K Size2M Size1G")]
    [Rule("P01")]
    [Rule("P03")]
    [Rule("P04")]
    [Rule("P06")]
    [Rule("P07")]
    [Rule("P08")]
    [Rule("P09")]
    [Rule("P10")]
    [Rule("P11")]
    [Rule("P13")]
    [Rule("P14")]
    [Rule("P15")]
    [Rule("R01")]
    [Rule("R02")]
    [Rule("R03")]
    [Rule("R04")]
    [Rule("R06")]
    [Rule("R07")]
    [Rule("R08")]
    [Rule("R10")]
    [Rule("R14")]
    [Rule("F01")]
    [Rule("F02")]
    [Rule("F03")]
    [Rule("F05")]
    [Rule("F06")]
    [Rule("A01")]
    [Rule("A04")]
    [Rule("T20")]
    public void Access_SampledEntriesAndControls_AgreesWithTheReference(GuestPagingMode mode, string sizes)
    {
        using var rigs = MatrixRigs.Native(MmuUnderTest.Create, mode);
        var log = new MismatchLog();
        var tally = new OutcomeTally();

        rigs.Run(TestTiers.Pick(4_000, CiCases, SoakCases), log, tally);

        log.AssertNone();
        bool isLong = mode >= GuestPagingMode.FourLevel;
        string[] always = ["PageFault None", "PageFault Present", "PageFault Present, Write", "PageFault Present, User", "PageFault Write, User", "PageFault Present, InstructionFetch", "PageFault Present, Reserved"];
        string[] inLongMode = ["NonCanonical at reference 0", "PageFault Present, ProtectionKey", "PageFault Present, Write, ProtectionKey", "PageFault Present, User, ProtectionKey", "PageFault Present, Write, User, ProtectionKey"];
        tally.AssertMet([.. always, .. isLong ? inLongMode : [], .. sizes.Split(' ').Select(size => $"Translation {size} ")]);
    }

    [Theory]
    [InlineData(GuestPagingMode.Bits32)]
    [InlineData(GuestPagingMode.Pae)]
    [InlineData(GuestPagingMode.FiveLevel)]
    public void Access_SampledEntriesUnderEpt_AgreesWithTheReference(GuestPagingMode mode)
    {
        using var rigs = MatrixRigs.Nested(MmuUnderTest.Create, mode);
        var log = new MismatchLog();
        var tally = new OutcomeTally();

        rigs.Run(TestTiers.Pick(2_000, 20_000, 400_000), log, tally);

        log.AssertNone();
        tally.AssertMet([.. Enumerable.Range(1, 4).Select(reference => $"EptViolation at reference {reference}"), "Translation Size4K Size2M"]);
    }

    /// <summary>The test tested: an MMU that forgets one control is found out.</summary>
    [Theory]
    [InlineData(GuestPagingMode.Bits32, Cr4.PageSizeExtensions)]
    [InlineData(GuestPagingMode.Bits32, Cr4.Smep)]
    [InlineData(GuestPagingMode.Pae, Cr4.Smap)]
    [InlineData(GuestPagingMode.FourLevel, Cr4.ProtectionKeyEnable)]
    [InlineData(GuestPagingMode.FourLevel, Cr4.ProtectionKeySupervisor)]
    [InlineData(GuestPagingMode.FourLevel, Cr4.LinearAddressSpaceSeparation)]
    [InlineData(GuestPagingMode.FiveLevel, Cr4.LinearAddressMaskingSupervisor)]
    [InlineData(GuestPagingMode.FiveLevel, Cr4.LinearAddress57)]
    public void Access_MmuThatForgetsAControl_IsFoundOut(GuestPagingMode mode, Cr4 forgotten)
    {
        using var rigs = MatrixRigs.Native(
            (configuration, memory) => new ReferenceMmu(memory, ReferenceCapabilities.Of(configuration)) { Forgets = context => context with { Cr4 = context.Cr4 & ~forgotten } },
            mode);
        var log = new MismatchLog();

        rigs.Run(2_000, log, new OutcomeTally());

        Assert.True(log.IsFull);
    }
}
