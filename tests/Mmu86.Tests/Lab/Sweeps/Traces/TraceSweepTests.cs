using System.Text;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Grids;
using Mmu86.Lab.Sweeps.Sources;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps.Traces;

/// <summary>Sweeps of traces: counted by hand where they are small, and equal to the direct simulation of each configuration where not.</summary>
public sealed class TraceSweepTests
{
    // Data pages 1 1 2 2 3 1, of which the second line crosses from 1 to 2; fetches of pages 0x401, 0x401, 0x402.
    private const string Small = """
        x 0x401000 4
        r 0x1000 8
        w 0x1ffc 8
        x 0x401ffe 4
        m 0x2000 4
        r 0x3000 1
        r 0x1004 1
        """;

    [Fact]
    public void SmallTrace_EveryFigure_IsTheOneCountedByHand()
    {
        SweepResult result = Sweep(Small, Options(), GridCatalogue.Find("fully-associative"));

        Assert.Equal(2, result.Instructions);
        Assert.Null(result.Exit);
        Assert.All(result.Rows, row => Assert.Equal(6, row.Lookups));
        // One entry: 1 . 2 . 3 1; two entries: 1 and 3 push each other out at the end, for 2 is younger than 1; three hold all.
        Assert.Equal([4, 4, 3], result.Rows.Take(3).Select(row => row.Misses));
        Assert.Equal([16, 16, 12], result.Rows.Take(3).Select(row => row.WalkReferences));
        Assert.Equal(2000, result.Rows[0].Mpki);
        Assert.Equal([new WorkingSetSample(2, 3, 2, 1)], result.WorkingSet);
        Assert.Equal(3, Sweep(Small, Options(), GridCatalogue.Find("lru-instruction")).Rows[0].Lookups);
        Assert.Equal(2, Sweep(Small, Options(), GridCatalogue.Find("lru-instruction")).Rows[0].Misses);
    }

    [Fact]
    public void SmallTrace_Modify_IsOneLookupWithWriteIntentThatSetsTheDirtyFlagOnce()
    {
        MmuStatistics statistics = Direct("r 0x1000 8\nm 0x1000 8\nm 0x1000 8\n", Options());

        Assert.Equal(3UL, statistics.L1Data.Lookups);
        Assert.Equal((1UL, 1UL), (statistics.Walks.Miss, statistics.Walks.Dirty));
        // The walk of the miss sets four accessed flags, that of the store the dirty flag.
        Assert.Equal(5UL, statistics.Walks.FlagUpdates);
    }

    [Fact]
    public void NestedTrace_ColdWalk_MakesTwentyFourReferences()
    {
        MmuStatistics statistics = Direct("r 0x1000 8\n", Options(PagingMode.Nested) with { Machine = MachineCatalogue.Find("uncached", []) });

        Assert.Equal((4UL, 20UL), (statistics.Walks.GuestReferences, statistics.Walks.EptReferences));
        Assert.Equal(0UL, statistics.Faults.EptViolations);
    }

    public static TheoryData<PagingMode, PageSize, PageSize> Layouts() => new()
    {
        { PagingMode.Native, PageSize.Size4K, PageSize.Size4K },
        { PagingMode.Native, PageSize.Size2M, PageSize.Size4K },
        { PagingMode.Nested, PageSize.Size4K, PageSize.Size4K },
        { PagingMode.Nested, PageSize.Size2M, PageSize.Size4K },
        { PagingMode.Nested, PageSize.Size4K, PageSize.Size2M },
    };

    [Theory]
    [MemberData(nameof(Layouts))]
    public void RandomTrace_EveryRow_IsItsDirectSimulation(PagingMode paging, PageSize guestPage, PageSize hostPage)
    {
        RunOptions run = Options(paging) with { GuestPage = guestPage, HostPage = hostPage };
        string trace = Random(TestSeed.Case((int)guestPage + (2 * (int)hostPage)), 20_000);
        foreach (string grid in new[] { "lru", "structure-caches" })
        {
            SweepGrid configurations = GridCatalogue.Find(grid);
            SweepResult result = Sweep(trace, run, configurations);
            for (int i = 5; i < result.Rows.Count; i += 23)
            {
                SweepRow row = result.Rows[i];
                string[] settings = configurations.Models is { } models
                    ? [.. models.Settings[i]]
                    : [$"mmu.l1Data.arrays[l1d-4k].sets={row.Sets}", $"mmu.l1Data.arrays[l1d-4k].ways={row.Ways}", "mmu.l1Data.arrays[l1d-4k].replacement=lru"];
                MmuStatistics direct = Direct(trace, run with { Machine = MachineOverrides.Apply(run.Machine, settings) });
                if (configurations.Models is null)
                    Assert.Equal((i, (long)direct.L1Data.Size4K.Lookups, (long)direct.L1Data.Size4K.Misses), (i, row.Lookups, row.Misses));
                else
                    Assert.Equal((i, (long)(direct.Walks.GuestReferences + direct.Walks.EptReferences)), (i, row.WalkReferences));
            }
        }
    }

    [Fact]
    public void MissesByClass_OfATrace_SumUpToTheBaseMachines()
    {
        RunOptions run = Options();
        string trace = Random(TestSeed.Case(9), 20_000);
        SweepResult result = Sweep(trace, run, GridCatalogue.Find("lru"), classifies: true);

        Assert.Equal((long)Direct(trace, run).L1Data.Misses, result.Misses!.Total.Total);
        Assert.Equal("(no symbol)", Assert.Single(result.Misses.BySymbol).Name);
    }

    [Fact]
    public void Trace_BeyondTheMostInstructions_EndsThereAndSaysSo()
    {
        SweepResult result = Sweep(Small, Options() with { MaxInstructions = 1 }, GridCatalogue.Find("lru"));

        Assert.Equal((1, ExitKind.Limit, 75), (result.Instructions, result.Exit!.Kind, result.Exit.Status));
        Assert.Equal(3, result.Rows[0].Lookups);
    }

    [Fact]
    public void Trace_ThatIsInterrupted_KeepsWhatIsDone()
    {
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        SweepResult result = Sweep(Random(TestSeed.Case(3), 300_000), Options(), GridCatalogue.Find("lru"), cancellation: cancellation.Token);

        Assert.False(result.IsComplete);
        Assert.Equal(130, result.Exit!.Status);
        Assert.True(result.Rows[0].Lookups is > 100_000 and < 300_000);
    }

    [Theory]
    [InlineData("", "the trace has no access")]
    [InlineData("# nothing\n", "the trace has no access")]
    [InlineData("r 0x1000 1\nr 0x0000800000000000 1\n", "line 2: 1 bytes at 0x800000000000 are not canonical")]
    [InlineData("r 0x00007fffffffffff 2\n", "line 1: 2 bytes at 0x7fffffffffff are not canonical")]
    [InlineData("r 0xffffffffffffffff 2\n", "line 1: 2 bytes at 0xffffffffffffffff are not canonical")]
    public void Trace_ThatCannotBeUsed_IsRefusedInASentence(string trace, string expected) =>
        Assert.Contains(expected, Assert.Throws<TraceException>(() => Sweep(trace, Options(), GridCatalogue.Find("lru"))).Message);

    [Theory]
    [InlineData(PagingMode.Native)]
    [InlineData(PagingMode.Nested)]
    public void Trace_OfMoreThanMemory_IsRefusedWhereItNoLongerFits(PagingMode paging)
    {
        string trace = string.Concat(Enumerable.Range(0, 20_000).Select(i => $"r {i * 4096} 1\n"));
        string message = Assert.Throws<TraceException>(() => Direct(trace, Options(paging))).Message;

        Assert.Matches("^line 163[0-9][0-9]: the pages touched so far need more than the machine's 64 MiB; give it more by --memory$", message);
    }

    [Fact]
    public void Pipe_ForASweepOfTwoPasses_IsRefusedBeforeAnythingRuns()
    {
        using TraceFile file = TraceFile.Find("-", TraceFormat.Text, () => new MemoryStream("r 1 1\n"u8.ToArray()));
        var runner = new SweepRunner(new SweepOptions
        {
            Runs = [Options(), Options(PagingMode.Nested)],
            Source = new TraceSource(file),
            Grid = GridCatalogue.Find("lru"),
            Classifies = false,
            Threads = 1,
        });

        Assert.Contains("needs the trace 2 times", Assert.Throws<TraceException>(() => runner.Run(GuestOutput.None, CancellationToken.None)).Message);
    }

    [Fact]
    public void Readers_OfDamagedTraces_AnswerInASentenceOrRead()
    {
        Random random = TestSeed.Case(77);
        byte[][] seeds =
        [
            Encoding.ASCII.GetBytes(Small), Encoding.ASCII.GetBytes("==1== x\nI  0401ab70,3\n L 1fff000558,8\n M 10,4\n"),
            [.. Enumerable.Range(1, 40).SelectMany(i => Traces.Record((ulong)i * 4096, [(ulong)i], [(ulong)i * 64]))],
        ];
        int refused = 0;
        int rounds = TestTiers.Pick(300, 3000, 3000);
        for (int round = 0; round < rounds; round++)
        {
            byte[] bytes = [.. seeds[round % seeds.Length]];
            for (int i = random.Next(1, 5); i > 0; i--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            bytes = bytes[..random.Next(bytes.Length + 1)];
            try
            {
                using TraceFile file = TraceFile.Find("-", null, () => new MemoryStream(bytes));
                Run(new TraceSource(file), Options(), GridCatalogue.Find("fully-associative"));
            }
            catch (TraceException exception)
            {
                refused++;
                Assert.StartsWith("standard input: ", exception.Message);
                Assert.DoesNotContain('\n', exception.Message);
            }
        }

        Assert.InRange(refused, rounds / 6, rounds - 1);
    }

    private static RunOptions Options(PagingMode paging = PagingMode.Native) => new()
    {
        Program = new ProgramImage { Name = "trace", Bytes = [], Arguments = [] },
        Machine = MachineCatalogue.Find("skylake", []),
        Paging = paging,
        GuestPage = PageSize.Size4K,
        HostPage = PageSize.Size4K,
        Fidelity = Fidelity.Tlb,
        MemoryBytes = 64UL << 20,
        Seed = 1,
    };

    // Neighbourhoods that are left again and again, crossings among them.
    private static string Random(Random random, int accesses)
    {
        var text = new StringBuilder();
        int place = 0;
        for (int i = 0; i < accesses; i++)
        {
            if (random.Next(20) == 0)
                place = random.Next(12) * 40;
            text.Append("rwxm"[random.Next(4)]).Append(' ').Append(0x10_0000 + ((place + random.Next(12)) * 4096) + random.Next(4096)).Append(' ').Append(1 << random.Next(5)).Append('\n');
        }

        return text.ToString();
    }

    private static SweepResult Sweep(string trace, RunOptions run, SweepGrid grid, bool classifies = false, CancellationToken cancellation = default)
    {
        using TraceFile file = TraceFile.Find("-", TraceFormat.Text, () => new MemoryStream(Encoding.ASCII.GetBytes(trace)));
        return Run(new TraceSource(file), run, grid, classifies, cancellation);
    }

    private static SweepResult Run(ISweepSource source, RunOptions run, SweepGrid grid, bool classifies = false, CancellationToken cancellation = default) =>
        new SweepRunner(new SweepOptions { Runs = [run], Source = source, Grid = grid, Classifies = classifies, Threads = 2 })
            .Run(GuestOutput.None, cancellation);

    private static MmuStatistics Direct(string trace, RunOptions run)
    {
        using TraceReader reader = TraceReader.Of(TraceFormat.Text, new MemoryStream(Encoding.ASCII.GetBytes(trace)));
        var runner = new TraceRunner(run, reader, new TranslationStreamWriter(new NoSink()), RecordedRuns.Strict);
        runner.Run(CancellationToken.None);
        return runner.Statistics!;
    }

    private sealed class NoSink : IStreamSink
    {
        public StreamChunk Exchange(StreamChunk full)
        {
            full.Count = 0;
            return full;
        }
    }
}
