using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>The cases of the matrices on an MMU that is observed: each access is told step by step as an inspection foretold it.</summary>
public sealed class InspectionTests
{
    [Theory]
    [InlineData(GuestPagingMode.Bits32, false)]
    [InlineData(GuestPagingMode.Pae, false)]
    [InlineData(GuestPagingMode.FourLevel, false)]
    [InlineData(GuestPagingMode.FiveLevel, false)]
    [InlineData(GuestPagingMode.Bits32, true)]
    [InlineData(GuestPagingMode.Pae, true)]
    [InlineData(GuestPagingMode.FourLevel, true)]
    [InlineData(GuestPagingMode.FiveLevel, true)]
    public void Inspect_EveryPagingMode_TellsTheNextAccess(GuestPagingMode mode, bool nested)
    {
        foreach (MmuConfiguration machine in Configurations())
        {
            using WalkWorld world = nested ? WalkWorld.Nested(mode) : WalkWorld.Native(mode);
            MmuRig rig = Rig(machine with { PhysicalAddressBits = 46 }, world.Memory, world.Tables);
            Run((number, random, log, tally) => new MatrixCase(number, rig, world, random, log, tally).Run());
        }
    }

    [Theory]
    [InlineData(NestedFormat.Ept)]
    [InlineData(NestedFormat.Npt)]
    public void Inspect_EveryControlOfTheSecondDimension_TellsTheNextAccess(NestedFormat format)
    {
        foreach (MmuConfiguration machine in Configurations())
        {
            using var world = new NestedFeatureWorld();
            NestedPagingConfiguration nested = machine.Nested with { Format = format, FiveLevels = true, LargestPage = "1g", ExecuteOnly = true, ViolationDetails = true };
            MmuRig rig = Rig(machine with { PhysicalAddressBits = 46, Nested = nested }, world.Memory, world.Tables);
            Run((number, random, log, tally) => new NestedFeatureCase(number, rig, world, random, log, tally).Run());
        }
    }

    private static MmuConfiguration[] Configurations() =>
        [TestMmuConfigurations.Uncached(), TestMmuConfigurations.SmallSkylake(), TestMmuConfigurations.Random(TestSeed.Case(-1)), TestMmuConfigurations.Random(TestSeed.Case(-2))];

    private static MmuRig Rig(MmuConfiguration machine, HostMemory memory, IEnumerable<HostFrameNumber> tables)
    {
        var watcher = new WalkWatcher();
        return new MmuRig("observed", machine, new Mmu<Observed>(memory, machine, new Observed(watcher)), memory, tables) { Watcher = watcher };
    }

    private static void Run(Action<int, Random, MismatchLog, OutcomeTally> run)
    {
        var log = new MismatchLog();
        var tally = new OutcomeTally();
        for (int number = 0; number < TestTiers.Pick(250, 5_000, 100_000) && !log.IsFull; number++)
            run(number, TestSeed.Case(number), log, tally);
        log.AssertNone();
    }
}
