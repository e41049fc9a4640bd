using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Grids;
using Mmu86.Lab.Sweeps.Sources;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps;

/// <summary>Every figure of a sweep is that of the direct simulation of its configuration.</summary>
public sealed class SweepRunnerTests
{
    private static readonly string[] s_guests =
        ["kernel-two-processes", "kernel-demand-paging", "strings 2", "gups 400 4000", "quicksort 3000", "hash-table 2000", "tree 1500", "pointer-chase 400 8000"];

    public static TheoryData<string, PagingMode> Runs => SmallRuns.OfBothPagings(s_guests.Take(TestTiers.Pick(4, s_guests.Length, s_guests.Length)));

    [Theory]
    [MemberData(nameof(Runs))]
    public void OnePassGrid_EveryGeometry_HasTheMissesOfItsDirectSimulation(string guest, PagingMode paging)
    {
        RunOptions run = SmallRuns.Options(guest, paging, Fidelity.Tlb, PageSize.Size4K);
        SweepResult result = Sweep(run, GridCatalogue.Find("lru"));

        Assert.Equal(160, result.Rows.Count);
        // All of them in the soak; elsewhere a seventh, another one for each guest.
        int step = TestTiers.Current == TestTier.Soak ? 1 : 7;
        for (int i = guest.Length % step; i < result.Rows.Count; i += step)
        {
            SweepRow row = result.Rows[i];
            RunReport direct = Direct(run, [$"mmu.l1Data.arrays[l1d-4k].sets={row.Sets}", $"mmu.l1Data.arrays[l1d-4k].ways={row.Ways}", "mmu.l1Data.arrays[l1d-4k].replacement=lru"]);
            SizeCounts expected = direct.Tlb!.L1d!.BySize!.Size4K!;
            Assert.Equal((row.Sets, row.Ways, expected.Lookups, expected.Misses), (row.Sets, row.Ways, row.Lookups, row.Misses));
            // The kernels map themselves by large pages, whose fragments have the entries.
            if (!guest.StartsWith("kernel", StringComparison.Ordinal))
                Assert.Equal(row.Misses * (paging == PagingMode.Native ? 4 : 24), row.WalkReferences);
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void FullyAssociativeGrid_EverySize_HasTheMissesOfItsDirectSimulation(string guest, PagingMode paging)
    {
        RunOptions run = SmallRuns.Options(guest, paging, Fidelity.Tlb, PageSize.Size4K);
        SweepResult result = Sweep(run, GridCatalogue.Find("fully-associative"));

        for (int i = guest.Length % 3; i < result.Rows.Count; i += 3)
        {
            SweepRow row = result.Rows[i];
            RunReport direct = Direct(run, ["mmu.l1Data.arrays[l1d-4k].sets=1", $"mmu.l1Data.arrays[l1d-4k].ways={row.Ways}", "mmu.l1Data.arrays[l1d-4k].replacement=lru"]);
            Assert.Equal((row.Ways, direct.Tlb!.L1d!.BySize!.Size4K!.Misses), (row.Ways, row.Misses));
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void RandomGrid_EveryMachine_CountsWhatItsDirectSimulationCounts(string guest, PagingMode paging)
    {
        RunOptions run = SmallRuns.Options(guest, paging, Fidelity.Tlb, PageSize.Size4K);
        ModelRequest models = RandomModels(TestSeed.Case(guest.Length));
        SweepResult result = Sweep(run, new SweepGrid { Name = "random", Models = models });

        Assert.Equal(models.Settings.Count, result.Rows.Count);
        for (int i = 0; i < result.Rows.Count; i++)
        {
            RunReport direct = Direct(run, [.. models.Settings[i]]);
            SweepRow row = result.Rows[i];
            Assert.Equal(
                (row.Settings, direct.Tlb!.L2!.Lookups, direct.Tlb.L2.Misses, direct.Walks!.Count, direct.Walks.References, direct.Walks.Cycles),
                (row.Settings, row.Lookups, row.Misses, row.Walks!.Value, row.WalkReferences, row.WalkCycles));
        }
    }

    [Fact]
    public void Rows_OnOneThreadAndOnSeveral_AreEqual()
    {
        RunOptions run = SmallRuns.Options("tree 1500", PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K);
        SweepGrid grid = GridCatalogue.Find("structure-caches");

        Assert.Equal(Sweep(run, grid, threads: 1).Rows, Sweep(run, grid, threads: 3).Rows);
    }

    [Fact]
    public void Shards_TakenTogether_AreTheWhole()
    {
        RunOptions run = SmallRuns.Options("tree 1500", PagingMode.Native, Fidelity.Tlb, PageSize.Size4K);
        foreach (string name in new[] { "lru", "structure-caches" })
        {
            SweepGrid grid = GridCatalogue.Find(name);
            IReadOnlyList<SweepRow> whole = Sweep(run, grid).Rows;
            SweepRow[][] shards = [.. Enumerable.Range(1, 3).Select(i => Sweep(run, grid, shard: new Shard(i, 3)).Rows.ToArray())];
            Assert.Equal(whole, Enumerable.Range(0, whole.Count).Select(row => shards[row % 3][row / 3]));
        }
    }

    [Fact]
    public void GuestThatForgetsAnInvlpg_IsToldOf()
    {
        RunOptions stale = SmallRuns.Options("kernel-stale-translation", PagingMode.Native, Fidelity.Tlb, PageSize.Size4K);
        Assert.Contains("translations that its tables no longer had", Sweep(stale, GridCatalogue.Find("lru")).Assumption);

        foreach (string guest in new[] { "kernel-demand-paging", "kernel-two-processes" })
        {
            RunOptions careful = SmallRuns.Options(guest, PagingMode.Native, Fidelity.Tlb, PageSize.Size4K);
            Assert.Null(Sweep(careful, GridCatalogue.Find("lru")).Assumption);
        }
    }

    [Fact]
    public void MissesByClass_SumUp_ToThoseOfTheBaseMachine()
    {
        RunOptions run = SmallRuns.Options("tree 1500", PagingMode.Native, Fidelity.Tlb, PageSize.Size4K, "mmu.l1Data.arrays[l1d-4k].sets=2");
        SweepResult result = Sweep(run, GridCatalogue.Find("lru"), classifies: true);

        RunReport direct = Direct(run, ["mmu.l1Data.arrays[l1d-4k].sets=2"]);
        Assert.Equal(direct.Tlb!.L1d!.BySize!.Size4K!.Misses, result.Misses!.Total.Total);
        Assert.Equal(result.Misses.Total.Total, result.Misses.BySymbol.Sum(group => group.Misses.Total));
        Assert.Equal(result.Misses.Total.Total, result.Misses.ByPageSize.Sum(group => group.Misses.Total));
        Assert.Contains(result.Misses.BySymbol, group => group.Name != "(no symbol)");
        Assert.True(result.Misses.Total.Compulsory > 0);
    }

    private static ModelRequest RandomModels(Random random)
    {
        List<IReadOnlyList<string>> settings = [];
        string[] policies = ["lru", "fifo", "random", "treePlru"];
        for (int i = 0; i < 6; i++)
        {
            int pde = random.Next(3) * 8;
            settings.Add(
            [
                $"mmu.l1Data.arrays[l1d-4k].sets={1 << random.Next(5)}",
                $"mmu.l1Data.arrays[l1d-4k].ways={1 << random.Next(4)}",
                $"mmu.l1Data.arrays[l1d-4k].replacement={policies[random.Next(4)]}",
                $"mmu.l1Instruction.arrays[l1i-4k].ways={1 << random.Next(3)}",
                $"mmu.l2.arrays[l2-4k-2m].replacement={policies[random.Next(4)]}",
                $"mmu.l2.arrays[l2-4k-2m].sets={1 << random.Next(8)}",
                $"mmu.l2.arrays[l2-4k-2m].ways={1 << random.Next(4)}",
                $"mmu.structureCaches.pde={{\"entries\":{pde},\"ways\":{(pde == 0 ? 0 : 4)},\"replacement\":\"lru\"}}",
            ]);
        }

        // Machines to which a repeated touch may matter: every access must be written down.
        switch (random.Next(5))
        {
            case 0:
                settings.Add(["mmu.l1Data.arrays=[]", "mmu.l2.arrays[l2-4k-2m].sets=4"]);
                break;
            case 1:
                settings.Add(["mmu.l2.inclusion=inclusive", "mmu.l2.arrays[l2-4k-2m].sets=2"]);
                break;
            case 2:
                settings.Add(["mmu.l2.inclusion=exclusive", "mmu.l2.arrays[l2-4k-2m].sets=4"]);
                break;
            default:
                break;
        }

        return new ModelRequest { Structure = "l2", Settings = settings };
    }

    private static SweepResult Sweep(RunOptions run, SweepGrid grid, int threads = 2, Shard? shard = null, bool classifies = false) =>
        new SweepRunner(new SweepOptions { Runs = [run], Source = new GuestSource(run.Program), Grid = grid, Classifies = classifies, Threads = threads, Shard = shard ?? Shard.Whole })
            .Run(GuestOutput.None, CancellationToken.None);

    private static RunReport Direct(RunOptions run, string[] settings) =>
        new GuestRunner(run with { Machine = MachineOverrides.Apply(run.Machine, settings) }, GuestOutput.None).Run(CancellationToken.None);
}
