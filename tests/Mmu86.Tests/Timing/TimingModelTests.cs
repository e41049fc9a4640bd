using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.Timing;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Timing;

/// <summary>Small streams whose cycles can be counted by hand.</summary>
public sealed class TimingModelTests
{
    private const int Rax = 0, Rbx = 3, Rcx = 1, Flags = InstructionFacts.Flags;
    private const ulong Warm = 0x10_0000, Cold = 0x20_0000, Table = 0x30_0000, Code = 0x40_0000;

    private static readonly InstructionFacts Nop = new() { Length = 1, AccessBytes = 8 };

    [Theory]
    [InlineData(TranslationHit.L1, 5)]
    [InlineData(TranslationHit.L2, 12)]
    public void DependentLoads_OfTheFirstCache_TakeItsLatencyAndTheTlbPenaltyEach(TranslationHit hit, ulong each)
    {
        var run = new Stream(overlap: 10, walkers: 2);
        for (ulong n = 1; n <= 40; n++)
        {
            run.Load(Rax, Rax, Warm, hit);
            Assert.Equal(1 + (n * each), run.Elapsed);
        }
    }

    [Fact]
    public void DependentLoads_WithTwoOtherInstructionsBetween_HideThem()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        for (ulong n = 1; n <= 40; n++)
        {
            run.Load(Rax, Rax, Warm, TranslationHit.L1);
            run.Instruction(Computing(reads: Bit(Rcx), writes: Bit(Rcx) | Bit(Flags)));
            run.Instruction(new InstructionFacts { Reads = Bit(Flags), Length = 2, AccessBytes = 8 });
        }

        Assert.Equal(1 + (40 * 5UL), run.Elapsed);
    }

    [Fact]
    public void DependentLoads_OfMemory_TakeAllOfItEach()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        for (ulong n = 1; n <= 20; n++)
        {
            run.Load(Rax, Rax, Cold + (n * 64), TranslationHit.L1);
            Assert.Equal(1 + (n * 200), run.Elapsed);
        }
    }

    [Theory]
    [InlineData(1, 1 + (8 * 200))]
    [InlineData(2, 2 + (4 * 200))]
    [InlineData(4, 4 + (2 * 200))]
    [InlineData(8, 8 + 200)]
    public void IndependentLoads_OfMemory_OverlapAsFarAsTheMachineLets(int overlap, ulong cycles)
    {
        var run = new Stream(overlap, walkers: 2);
        for (ulong n = 1; n <= 8; n++)
            run.Load(Rax, Rbx, Cold + (n * 64), TranslationHit.L1);
        Assert.Equal(cycles, run.Elapsed);
    }

    [Fact]
    public void Stores_ThatNobodyReads_WaitForTheirDataOnly()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.Load(Rax, Rbx, Cold, TranslationHit.L1);                         // begins at 1, value at 201
        run.Begin(new InstructionFacts { Reads = Bit(Rax) | Bit(Rcx), Addresses = Bit(Rcx), Length = 3, AccessBytes = 8 });
        run.Access(AccessKind.Write, Warm, TranslationHit.L1);               // 201 to 206
        run.Instruction(Nop);
        Assert.Equal(206UL, run.Elapsed);
    }

    [Fact]
    public void ValueComputedOfALoad_IsKnownACycleLater()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.Load(Rax, Rbx, Warm, TranslationHit.L1);                         // value at 6
        run.Instruction(Computing(reads: Bit(Rax), writes: Bit(Rcx)));       // at 7
        run.Load(Rax, Rcx, Warm, TranslationHit.L1);                         // 7 to 12
        Assert.Equal(12UL, run.Elapsed);
    }

    [Fact]
    public void ReadModifyWrite_MakesItsFlagsWhenItsBytesAreThere()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.Begin(new InstructionFacts
        {
            Reads = Bit(Rbx),
            Addresses = Bit(Rbx),
            Writes = Bit(Flags),
            Length = 3,
            AccessBytes = 8,
            Traits = InstructionTraits.Modifies | InstructionTraits.Computes,
        });
        run.Access(AccessKind.Write, Warm, TranslationHit.L1);               // 1 to 6, flags at 7
        run.Instruction(Computing(reads: Bit(Flags), writes: Bit(Rcx)));     // at 8
        run.Load(Rax, Rcx, Warm, TranslationHit.L1);                         // 8 to 13
        Assert.Equal(13UL, run.Elapsed);
    }

    [Theory]
    [InlineData(1, 36)]
    [InlineData(2, 22)]
    public void IndependentWalks_OverlapAsFarAsThereAreWalkers(int walkers, ulong cycles)
    {
        var run = new Stream(overlap: 10, walkers);
        run.Walk(Table);                                                     // 10 + 5
        run.Load(Rax, Rbx, Warm, TranslationHit.None);                       // 1, walked at 16, done at 21
        run.Walk(Table + 8);
        run.Load(Rcx, Rbx, Warm, TranslationHit.None);                       // 2, one walker: from 16 to 31, done at 36; two: 17, 22
        Assert.Equal(cycles, run.Elapsed);
    }

    [Fact]
    public void Walk_OfFourReferences_CostsItsBeginAndWhatTheCachesSay()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.Walk(Table, Cold, Cold + 8, Cold + 4096);                        // 10 + 5 + 200 + 5 + 200
        run.Load(Rax, Rbx, Warm, TranslationHit.None);
        Assert.Equal(1UL + 420 + 5, run.Elapsed);
        TimingStatistics statistics = run.Model.Statistics;
        Assert.Equal(run.WarmWalkCycles + 420, statistics.WalkCycles);
        Assert.Equal([2UL, 0, 0, 2 + 1], statistics.ReferenceHits); // one of them warmed the table
        Assert.Equal((4UL + 1, 2UL), (statistics.Caches[1].WalkReferences, statistics.Caches[1].WalkHits));
    }

    [Fact]
    public void FailedWalk_IsWaitedForAndIsNoHit()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.Model.WalkFailed([Table]);
        Assert.Equal(15UL, run.Elapsed);
        Assert.Equal(run.WarmWalkCycles + 15, run.Model.Statistics.WalkCycles);
        Assert.Equal([0UL, 0, 0, 1], run.Model.Statistics.ReferenceHits);
    }

    [Fact]
    public void SerialisingInstruction_BeginsWhenEverythingBeforeItIsDone()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.Load(Rax, Rbx, Cold, TranslationHit.L1);
        run.Instruction(new InstructionFacts { Length = 2, AccessBytes = 8, Traits = InstructionTraits.Serialises });
        Assert.Equal(202UL, run.Elapsed);
    }

    [Fact]
    public void SeveralAccesses_OfOneInstruction_BeginOneACycle()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.Begin(new InstructionFacts { Length = 2, AccessBytes = 8 });
        for (int i = 0; i < 6; i++)
            run.Access(AccessKind.Read, Warm, TranslationHit.L1);
        Assert.Equal(1UL + 5 + 5, run.Elapsed);
    }

    [Fact]
    public void LoadThatCrossesALine_NeedsBoth()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.Load(Rax, Rbx, Warm + 60, TranslationHit.L1); // the second line is cold
        Assert.Equal(201UL, run.Elapsed);
        CacheStatistics data = run.Model.Statistics.Caches[1];
        Assert.Equal(2UL + run.WarmReferences, data.References);
    }

    [Fact]
    public void Fetches_OfOneLine_CostNothingBeyondTheirCycles()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        for (int i = 0; i < 20; i++)
            run.Instruction(Nop);
        Assert.Equal(20UL, run.Elapsed);
    }

    [Fact]
    public void Fetch_OfAColdLineAndAMissedTlb_IsWaitedForBeforeTheInstructionBegins()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.FetchFrom(Cold, TranslationHit.L2); // 7, then 200 - 5
        run.Model.Begin(Nop);
        Assert.Equal(7UL + 195 + 1, run.Elapsed);
    }

    [Theory]
    [InlineData(62, 3, 195)] // two lines of a page, the second one cold
    [InlineData(61, 3, 0)]
    [InlineData(4094, 3, 0)] // the rest is in another page, which is told by itself
    public void Fetch_OfAnInstructionThatCrossesALine_ReferencesBoth(ulong offset, byte length, ulong stall)
    {
        var run = new Stream(overlap: 10, walkers: 2);
        run.FetchFrom(Code + offset, TranslationHit.L1);
        ulong before = run.Elapsed;
        run.Model.Begin(new InstructionFacts { Length = length, AccessBytes = 8 });
        Assert.Equal(before + stall + 1, run.Elapsed);
    }

    [Fact]
    public void Priced_Trace_SaysWhereTheWalkFoundEachEntryAndForecastWhereTheNextWould()
    {
        var run = new Stream(overlap: 10, walkers: 2);
        WalkTrace trace = Trace(Table, Cold, Cold + 8);
        WalkTrace forecast = run.Model.Forecast(trace);
        run.Walk(Table, Cold, Cold + 8);
        WalkTrace priced = run.Model.Priced(trace);
        Assert.Equal([(MemoryLevel.L1Data, 5), (MemoryLevel.Memory, 200), (MemoryLevel.L1Data, 5)], priced.References.Select(step => (step.FoundIn!.Value, step.Cycles!.Value)));
        Assert.Equal(priced.References, forecast.References);
        Assert.All(run.Model.Forecast(trace).References, step => Assert.Equal(MemoryLevel.L1Data, step.FoundIn));
    }

    private static uint Bit(int register) => 1u << register;

    private static InstructionFacts Computing(uint reads, uint writes) =>
        new() { Reads = reads, Writes = writes, Length = 3, AccessBytes = 8, Traits = InstructionTraits.Computes };

    private static WalkTrace Trace(params ulong[] entries) => new()
    {
        Linear = default,
        Kind = AccessKind.Read,
        Mode = AccessMode.User,
        Hit = TranslationHit.None,
        Reason = WalkReason.Miss,
        References =
        [
            .. entries.Select(entry => new WalkReference
            {
                Dimension = WalkDimension.Guest, Level = 1, Entry = new HostPhysicalAddress(entry), GuestEntry = null, Before = 0, After = 0, Source = WalkSource.Memory,
            }),
        ],
    };

    /// <summary>A model whose caches hold a line of code, of data and of a table; cycles count from there.</summary>
    private sealed class Stream
    {
        private readonly ulong _start;

        public Stream(int overlap, int walkers)
        {
            Model = new TimingModel(SampleCaches.Caches(overlap, walkers), SampleCaches.Latencies);
            FetchFrom(Code, TranslationHit.L1);
            Model.Begin(Nop);
            Access(AccessKind.Read, Warm, TranslationHit.L1);
            Walk(Table);
            Access(AccessKind.Read, Warm, TranslationHit.None);

            // Until everything is done.
            Model.Begin(new InstructionFacts { Length = 1, AccessBytes = 8, Traits = InstructionTraits.Serialises });
            _start = Model.Cycles;
            WarmWalkCycles = Model.Statistics.WalkCycles;
            WarmReferences = Model.Statistics.Caches[1].References;
        }

        public TimingModel Model { get; }

        public ulong WarmReferences { get; }

        public ulong WarmWalkCycles { get; }

        public ulong Elapsed => Model.Cycles - _start;

        public void FetchFrom(ulong address, TranslationHit hit) =>
            Model.Accessed(AccessKind.Fetch, new Translation(new HostPhysicalAddress(address), PageSize.Size4K, true), hit);

        public void Begin(in InstructionFacts facts)
        {
            FetchFrom(Code, TranslationHit.L1);
            Model.Begin(facts);
        }

        public void Instruction(in InstructionFacts facts) => Begin(facts);

        public void Load(int destination, int address, ulong from, TranslationHit hit)
        {
            Begin(new InstructionFacts { Reads = Bit(address), Addresses = Bit(address), Writes = Bit(destination), Length = 3, AccessBytes = 8 });
            Access(AccessKind.Read, from, hit);
        }

        public void Access(AccessKind kind, ulong address, TranslationHit hit) =>
            Model.Accessed(kind, new Translation(new HostPhysicalAddress(address), PageSize.Size4K, true), hit);

        public void Walk(params ReadOnlySpan<ulong> entries) => Model.Walked(entries);
    }
}
