using Mmu86.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Entries at four levels × controls × modes × kinds of access, sampled, each against the reference walker: cold, warm, after invalidation.</summary>
[LongTests]
public sealed class NativeMatrixTests
{
    [Fact]
    [Rule("P03")]
    [Rule("P07")]
    [Rule("P08")]
    [Rule("P09")]
    [Rule("P10")]
    [Rule("R01")]
    [Rule("R02")]
    [Rule("R03")]
    [Rule("R04")]
    [Rule("R06")]
    [Rule("R14")]
    [Rule("F01")]
    [Rule("F02")]
    [Rule("F05")]
    [Rule("F06")]
    [Rule("A01")]
    [Rule("A07")]
    [Rule("T20")]
    public void Access_SampledEntriesAndControls_AgreesWithTheReference()
    {
        using var rigs = MatrixRigs.Native(MmuUnderTest.Create);
        var log = new MismatchLog();
        var tally = new OutcomeTally();

        rigs.Run(TestTiers.Pick(12_000, 200_000, 4_000_000), log, tally);

        log.AssertNone();
        tally.AssertMet(
        [
            "PageFault None",
            "PageFault Present",
            "PageFault Present, Write",
            "PageFault Present, User",
            "PageFault Present, User, InstructionFetch",
            "PageFault Present, InstructionFetch",
            "PageFault Present, Reserved",
            "PageFault Present, Write, User, Reserved",
            "PageFault Present, User, Reserved, InstructionFetch",
            "PageFault Write, User",
            "PageFault User, InstructionFetch",
            "Translation Size4K ",
            "Translation Size2M ",
            "Translation Size1G ",
        ]);
    }

    /// <summary>The test tested: an MMU that forgets one control is found out.</summary>
    [Theory]
    [InlineData(Cr0.WriteProtect, Cr4.None, Efer.None)]
    [InlineData(Cr0.None, Cr4.Smep, Efer.None)]
    [InlineData(Cr0.None, Cr4.Smap, Efer.None)]
    [InlineData(Cr0.None, Cr4.None, Efer.NoExecuteEnable)]
    public void Access_MmuThatForgetsAControl_IsFoundOut(Cr0 cr0, Cr4 cr4, Efer efer)
    {
        using var rigs = MatrixRigs.Native((configuration, memory) => new ReferenceMmu(memory, ReferenceCapabilities.Of(configuration))
        {
            Forgets = context => context with { Cr0 = context.Cr0 & ~cr0, Cr4 = context.Cr4 & ~cr4, Efer = context.Efer & ~efer },
        });
        var log = new MismatchLog();

        rigs.Run(400, log, new OutcomeTally());

        Assert.True(log.IsFull);
    }

    /// <summary>Every combination of R/W, U/S and XD at two levels with everything that judges them: nothing here is left to chance.</summary>
    [SkippableFact]
    [Rule("R01")]
    [Rule("R02")]
    [Rule("R03")]
    [Rule("R04")]
    [Rule("R06")]
    [Rule("R14")]
    [Rule("A07")]
    [Rule("F02")]
    public void Access_EveryCombinationOfRights_AgreesWithTheReference()
    {
        TestTiers.Require(TestTier.Ci);
        var configuration = TestMmuConfigurations.SmallSkylake();
        using var world = WalkWorld.Native();
        var rig = new MmuRig("small-skylake", configuration, MmuUnderTest.Create(configuration, world.Memory), world.Memory, world.Tables);
        var log = new MismatchLog();
        ulong[] rights = [0, 2, 4, 6, 1UL << 63, (1UL << 63) | 2, (1UL << 63) | 4, (1UL << 63) | 6];
        for (int controls = 0; controls < 16; controls++)
        {
            PagingContext context = Controls(world, controls);
            for (int upper = 2; upper <= 4; upper++)
            {
                foreach (ulong above in rights)
                {
                    foreach (ulong below in rights)
                        CheckAllAccesses(rig, world, context, upper, above, below, log);
                }
            }
        }

        log.AssertNone();
    }

    private static void CheckAllAccesses(MmuRig rig, WalkWorld world, PagingContext context, int upper, ulong above, ulong below, MismatchLog log)
    {
        foreach (AccessKind kind in Enum.GetValues<AccessKind>())
        {
            foreach (AccessMode mode in Enum.GetValues<AccessMode>())
            {
                for (int level = 4; level >= 1; level--)
                {
                    ulong flags = level == upper ? above | 1 : level == 1 ? below | 1 : 7;
                    world.Memory.Write(world.GuestEntry(level), world.GuestPointer(level, PageSize.Size4K) | flags);
                }

                rig.Reset(context);
                for (int time = 1; time <= 2; time++)
                {
                    if (rig.Judge(new ReferenceAccess(WalkWorld.Linear, kind, mode)) is { } mismatch)
                        log.Add($"{context} level {upper} 0x{above:x} level 1 0x{below:x} {mode} {kind} time {time}", mismatch.Expected, mismatch.Got);
                }
            }
        }
    }

    private static PagingContext Controls(WalkWorld world, int bits) => new()
    {
        Cr0 = Cr0.ProtectionEnable | Cr0.Paging | ((bits & 1) != 0 ? Cr0.WriteProtect : 0),
        Cr3 = world.Root,
        Cr4 = Cr4.PhysicalAddressExtension | ((bits & 2) != 0 ? Cr4.Smep : 0) | ((bits & 4) != 0 ? Cr4.Smap : 0),
        Efer = Efer.LongModeEnable | Efer.LongModeActive | ((bits & 8) != 0 ? Efer.NoExecuteEnable : 0),
        Eptp = world.Eptp,
        Vpid = 0,
    };
}
