using System.Buffers.Binary;
using System.Text;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Grids;
using Mmu86.Lab.Sweeps.Output;
using Mmu86.Lab.Sweeps.Recorded;
using Mmu86.Lab.Sweeps.Sources;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps.Recorded;

/// <summary>A recorded stream, swept again, gives the result of the sweep that recorded it, to the byte; a damaged one gives a sentence.</summary>
[LongTests]
public sealed class RecordedStreamTests
{
    public static TheoryData<string, PagingMode> Guests =>
        SmallRuns.OfBothPagings(["quicksort 3000", "tree 1500", "gups 400 4000", "kernel-demand-paging", "kernel-two-processes", "strings 2"]);

    [Theory]
    [MemberData(nameof(Guests))]
    public void RecordedSweep_SweptAgain_IsTheSameToTheByte(string guest, PagingMode paging)
    {
        RunOptions run = SmallRuns.Options(guest, paging, Fidelity.Tlb, PageSize.Size4K);
        foreach (string grid in new[] { "lru", "l2" })
        {
            byte[] file = Record(run, GridCatalogue.Find(grid), RecordedRuns.ByKind, out SweepResult direct);
            Assert.Equal(SweepJson.Write(direct), SweepJson.Write(SweepAgain(file, GridCatalogue.Find(grid))));
        }
    }

    [Fact]
    public void StreamRecordedByARun_GivesTheRowsOfEveryGrid()
    {
        RunOptions run = SmallRuns.Options("quicksort 3000", PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K);
        using var file = new MemoryStream();
        RunReport report;
        using (var recorder = new RunRecorder(run, new RunRecorderOptions { Recording = new SweepRecording(file.Write, RecordedRuns.ByKind), Classifies = false }))
        {
            report = new GuestRunner(run, GuestOutput.None) { Recording = recorder.Recording }.Run(CancellationToken.None);
            recorder.Complete(report);
        }

        RunReport plain = new GuestRunner(run, GuestOutput.None).Run(CancellationToken.None);
        Assert.Equal(ReportJson.Write(plain with { Host = null! }), ReportJson.Write(report with { Host = null! }));
        foreach (string grid in new[] { "lru", "lru-instruction", "structure-caches" })
            Assert.Equal(Sweep(new GuestSource(run.Program), run, GridCatalogue.Find(grid)).Rows, SweepAgain(file.ToArray(), GridCatalogue.Find(grid)).Rows);
    }

    [Fact]
    public void StreamForLikeMachines_RefusesAMachineWithoutAFirstLevel_AndAStrictOneTakesIt()
    {
        RunOptions run = SmallRuns.Options("quicksort 3000", PagingMode.Native, Fidelity.Tlb, PageSize.Size4K);
        var other = new SweepGrid { Name = "other", Models = new ModelRequest { Structure = "l2", Settings = [["mmu.l1Data.arrays=[]"]] } };
        byte[] byKind = Record(run, GridCatalogue.Find("lru"), RecordedRuns.ByKind, out _);
        byte[] strict = Record(run, GridCatalogue.Find("lru"), RecordedRuns.Strict, out _);

        Assert.Contains("record again with --record-strict", Assert.Throws<TraceException>(() => SweepAgain(byKind, other)).Message);
        Assert.Equal(Sweep(new GuestSource(run.Program), run, other).Rows, SweepAgain(strict, other).Rows);
        Assert.Equal(Sweep(new GuestSource(run.Program), run, GridCatalogue.Find("l2")).Rows, SweepAgain(strict, GridCatalogue.Find("l2")).Rows);
    }

    [Fact]
    public void MissesByClass_NeedARecordingThatHasThem()
    {
        RunOptions run = SmallRuns.Options("tree 1500", PagingMode.Native, Fidelity.Tlb, PageSize.Size4K);
        byte[] with = Record(run, GridCatalogue.Find("lru"), RecordedRuns.ByKind, out SweepResult direct, classifies: true);
        byte[] without = Record(run, GridCatalogue.Find("lru"), RecordedRuns.ByKind, out _);

        Assert.Equal(SweepJson.Write(direct), SweepJson.Write(SweepAgain(with, GridCatalogue.Find("lru"), classifies: true)));
        Assert.Contains("record again with --classify", Assert.Throws<TraceException>(() => SweepAgain(without, GridCatalogue.Find("lru"), classifies: true)).Message);
    }

    [Fact]
    public void RecordedTrace_SweptAgain_IsTheSameToTheByte()
    {
        byte[] text = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 20_000).Select(i => $"{"rwx"[i % 3]} {(i * 7919L) % 500_000} 8\n")));
        using TraceFile trace = TraceFile.Find("-", null, () => new MemoryStream(text));
        RunOptions run = SmallRuns.Options("hello", PagingMode.Native, Fidelity.Tlb, PageSize.Size4K);
        using var file = new MemoryStream();
        SweepResult direct = Sweep(new TraceSource(trace), run, GridCatalogue.Find("lru"), recording: new SweepRecording(file.Write, RecordedRuns.ByKind));

        Assert.Equal(SweepJson.Write(direct), SweepJson.Write(SweepAgain(file.ToArray(), GridCatalogue.Find("lru"))));
    }

    [Fact]
    public void Chunks_OfEveryOperation_AreReadAsTheyWereWritten()
    {
        Random random = TestSeed.Case(4);
        var encoder = new ChunkEncoder();
        var decoder = new ChunkDecoder();
        for (int round = 0; round < 40; round++)
        {
            StreamChunk chunk = RandomChunk(random);
            var again = new StreamChunk();
            decoder.Decode(encoder.Encode(chunk), again);

            Assert.Equal(chunk.Words.AsSpan(0, chunk.Count), again.Words.AsSpan(0, again.Count));
        }
    }

    [Fact]
    public void File_CutAnywhere_SaysSo()
    {
        byte[] file = SmallFile();
        for (int length = StreamFile.Magic.Length; length < file.Length; length += 1 + (length / 40))
        {
            string message = Assert.Throws<TraceException>(() => SweepAgain(file[..length], GridCatalogue.Find("fully-associative"))).Message;
            Assert.Matches("^standard input: ends within .*, which begins at byte [0-9]+: the recording was cut off$", message);
        }
    }

    [Fact]
    public void File_WithOneWrongBit_IsRefusedWhereverThatIs()
    {
        byte[] file = SmallFile();
        Random random = TestSeed.Case(5);
        for (int round = 0; round < 300; round++)
        {
            int position = random.Next(StreamFile.Magic.Length, file.Length);
            byte[] wrong = [.. file];
            wrong[position] ^= (byte)(1 << random.Next(8));
            string message = Assert.Throws<TraceException>(() => SweepAgain(wrong, GridCatalogue.Find("fully-associative"))).Message;
            Assert.StartsWith("standard input: ", message);
        }
    }

    [Fact]
    public void File_OfAnotherVersion_IsToldSo()
    {
        byte[] file = SmallFile();
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(StreamFile.Magic.Length), 7);

        Assert.Contains("is a translation stream of version 7; this Mmu86 reads version 2", Assert.Throws<TraceException>(() => SweepAgain(file, GridCatalogue.Find("lru"))).Message);
    }

    [Fact]
    public void File_WithSomethingBehindItsEnd_IsRefused() =>
        Assert.Contains("is the end, but more follows", Assert.Throws<TraceException>(() => SweepAgain([.. SmallFile(), 0], GridCatalogue.Find("lru"))).Message);

    [Fact]
    public void Decoder_OfAnything_GivesOperationsOrRefuses()
    {
        Random random = TestSeed.Case(6);
        byte[] sample = new ChunkEncoder().Encode(RandomChunk(random)).ToArray();
        int refused = 0;
        for (int round = 0; round < 3000; round++)
        {
            byte[] bytes = sample[..random.Next(1, 2000)];
            for (int i = random.Next(4); i >= 0; i--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            var chunk = new StreamChunk();
            try
            {
                new ChunkDecoder().Decode(bytes, chunk);
                int position = 0;
                while (position < chunk.Count)
                    position += TranslationStreamReader.Length(chunk.Words[position]);
                Assert.Equal(chunk.Count, position);
            }
            catch (TranslationStreamException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 300, 3000);
    }

    [Fact]
    public void Interruption_WhileReadingARecording_EndsBehindAMomentOfIt()
    {
        RunOptions run = SmallRuns.Options("gups 4000 200000", PagingMode.Native, Fidelity.Tlb, PageSize.Size4K);
        byte[] file = Record(run, GridCatalogue.Find("lru"), RecordedRuns.ByKind, out SweepResult whole);
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();

        SweepResult part = SweepAgain(file, GridCatalogue.Find("lru"), cancellation: cancellation.Token);

        Assert.False(part.IsComplete);
        Assert.Equal(130, part.Exit!.Status);
        Assert.All(part.Rows.Zip(whole.Rows), pair => Assert.True(pair.First.Misses <= pair.First.Lookups && pair.First.Lookups <= pair.Second.Lookups));
    }

    [Fact]
    public void DiskThatIsFull_EndsTheSweep()
    {
        RunOptions run = SmallRuns.Options("gups 4000 100000", PagingMode.Native, Fidelity.Tlb, PageSize.Size4K);
        int left = 20_000;
        void Write(ReadOnlySpan<byte> bytes)
        {
            left -= bytes.Length;
            if (left < 0)
                throw new IOException("no space");
        }

        Assert.Equal("no space", Assert.Throws<IOException>(() => Sweep(new GuestSource(run.Program), run, GridCatalogue.Find("lru"), recording: new SweepRecording(Write, RecordedRuns.Strict))).Message);
    }

    private static byte[] SmallFile() =>
        Record(SmallRuns.Options("hello", PagingMode.Native, Fidelity.Tlb, PageSize.Size4K), GridCatalogue.Find("fully-associative"), RecordedRuns.ByKind, out _);

    private static byte[] Record(RunOptions run, SweepGrid grid, RecordedRuns runs, out SweepResult direct, bool classifies = false)
    {
        using var file = new MemoryStream();
        direct = Sweep(new GuestSource(run.Program), run, grid, classifies, new SweepRecording(file.Write, runs));
        return file.ToArray();
    }

    private static SweepResult SweepAgain(byte[] bytes, SweepGrid grid, bool classifies = false, CancellationToken cancellation = default)
    {
        using TraceFile file = TraceFile.Find("-", null, () => new MemoryStream(bytes));
        using var source = new RecordedSource(file);
        return Sweep(source, source.Header.ToRun(file.Name), grid, classifies, cancellation: cancellation);
    }

    private static SweepResult Sweep(
        ISweepSource source, RunOptions run, SweepGrid grid, bool classifies = false, SweepRecording? recording = null, CancellationToken cancellation = default) =>
        new SweepRunner(new SweepOptions { Runs = [run], Source = source, Grid = grid, Classifies = classifies, Threads = 2 }) { Recording = recording }
            .Run(GuestOutput.None, cancellation);

    // Whatever an event has room for, in runs that repeat and runs that do not.
    private static StreamChunk RandomChunk(Random random)
    {
        var chunk = new StreamChunk();
        var sink = new KeepingSink();
        var writer = new TranslationStreamWriter(sink);
        ulong[] pages = [.. Enumerable.Range(0, 20).Select(_ => (ulong)random.NextInt64() & ((1UL << 57) - 1))];
        for (int i = 0; i < 8000; i++)
        {
            switch (random.Next(200))
            {
                case 0:
                    writer.Invalidation((StreamInvalidation)random.Next(9), (ulong)random.NextInt64(), (ulong)random.NextInt64());
                    break;
                case 1:
                    writer.TableLine((ulong)random.Next(1000) * 64, [.. Enumerable.Range(0, 8).Select(_ => (ulong)random.NextInt64())]);
                    break;
                case 2:
                    writer.PageRemoved((uint)random.Next(1, 8192), (ulong)random.NextInt64());
                    break;
                case 7:
                    writer.AddressRemoved((uint)random.Next(1, 8192), (ulong)random.NextInt64());
                    break;
                case 3:
                    writer.SpaceRemoved((uint)random.Next(1, 8192));
                    break;
                case 6:
                    writer.SpaceLeft((AccessKind)random.Next(3), (uint)random.Next(1, 8192));
                    break;
                case 4:
                    writer.Mark(new StreamMark { Moment = (StreamMoment)random.Next(4), Instructions = 1, DataLookups = 2, FetchLookups = 3, DataBySize = [4, 5, 6], FetchBySize = [7, 8, 9] });
                    break;
                case 5:
                    writer.Table((ulong)random.Next(1000) * 4096, [.. Enumerable.Range(0, 512).Select(_ => (ulong)random.NextInt64())]);
                    break;
                default:
                    ulong page = random.Next(10) == 0 ? (ulong)random.NextInt64() & ((1UL << 57) - 1) : pages[i % pages.Length];
                    LookupFlags flags = random.Next(10) == 0 ? (LookupFlags)(random.Next(8) << 12) : LookupFlags.None;
                    ulong first = LookupEvent.Pack(page, (AccessKind)random.Next(3), (AccessMode)(random.Next(10) == 0 ? random.Next(4) : 0), (PageSize)random.Next(3), PageSize.Size4K, flags);
                    ulong second = LookupEvent.Pack((uint)(random.Next(10) == 0 ? random.Next(1, 8192) : 1), (uint)(random.Next(10) == 0 ? random.Next(65536) : 0));
                    writer.Lookup(first, second + (random.Next(3) == 0 ? (ulong)random.Next() : 0));
                    break;
            }
        }

        writer.Flush();
        StreamChunk kept = sink.Kept[0];
        kept.Words.AsSpan(0, kept.Count).CopyTo(chunk.Words);
        chunk.Count = kept.Count;
        return chunk;
    }

    private sealed class KeepingSink : IStreamSink
    {
        public List<StreamChunk> Kept { get; } = [];

        public StreamChunk Exchange(StreamChunk full)
        {
            Kept.Add(full);
            return new StreamChunk();
        }
    }
}
