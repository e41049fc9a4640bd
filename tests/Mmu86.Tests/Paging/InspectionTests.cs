using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.Tests.Timing;
using Mmu86.Timing;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>
/// An inspection tells what the next access does, to the last reference, and changes nothing: two MMUs are driven by the same random
/// stream, one of them is inspected before every access, and both must go the same way.
/// </summary>
public sealed class InspectionTests
{
    public static TheoryData<string, bool, PageSize> Cases()
    {
        var cases = new TheoryData<string, bool, PageSize>();
        foreach (string machine in FuzzMachines.Names)
        {
            cases.Add(machine, false, PageSize.Size4K);
            cases.Add(machine, true, PageSize.Size4K);
            cases.Add(machine, true, PageSize.Size2M);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Inspect_RandomStream_TellsTheNextAccessAndLeavesNoTrace(string machine, bool nested, PageSize eptPage)
    {
        int accesses = TestTiers.Pick(standard: 500, ci: 10_000, soak: 200_000);
        PageMix mix = FuzzMachines.Coalescing.Contains(machine) ? PageMix.Runs : PageMix.MostlySmall;
        using var inspected = new Subject(FuzzMachines.Get(machine), nested, eptPage, mix, seed: 7);
        using var other = new Subject(FuzzMachines.Get(machine), nested, eptPage, mix, seed: 7);
        Run(inspected, other, accesses);
    }

    [Theory]
    [InlineData(Replacement.Lru, 4)]
    [InlineData(Replacement.TreePlru, 4)]
    [InlineData(Replacement.Fifo, 2)]
    [InlineData(Replacement.Random, 4)]
    [InlineData(Replacement.Nru, 4)]
    [InlineData(Replacement.Mru3Plru, 12)]
    public void Inspect_SmallStructureCachesOfEveryPolicy_UndoesEvictionsToo(Replacement replacement, int ways)
    {
        var cache = new StructureCacheConfiguration { Entries = ways, Ways = ways, Replacement = replacement };
        MmuConfiguration machine = Machines.Uncached with
        {
            L2 = Machines.Level(Machines.Array("l2", ["4k"], 2, 2)),
            StructureCaches = Machines.Caches(1) with { Pde = cache, Pdpte = cache, EptPde = cache, EptPdpte = cache, NestedTlb = cache },
        };
        using var inspected = new Subject(machine, nested: true, PageSize.Size4K, PageMix.MostlySmall, seed: 11);
        using var other = new Subject(machine, nested: true, PageSize.Size4K, PageMix.MostlySmall, seed: 11);
        Run(inspected, other, TestTiers.Pick(standard: 3_000, ci: 20_000, soak: 400_000));
    }

    private static void Run(Subject inspected, Subject other, int accesses)
    {
        var random = new Random(5);
        int focus = 0;
        int walks = 0;
        int hits = 0;
        int cached = 0;
        for (int n = 0; n < accesses; n++)
        {
            if (random.Next(25) == 0)
            {
                int action = random.Next();
                inspected.Disturb(action, focus);
                other.Disturb(action, focus);
            }

            var address = new LinearAddress(inspected.Fuzz.Pick(random, ref focus));
            AccessKind kind = (AccessKind)random.Next(3);
            AccessMode mode = kind == AccessKind.Fetch ? (AccessMode)random.Next(2) : (AccessMode)random.Next(4);

            // More than one, of things that the access is not: whatever they leave behind would show.
            inspected.Inspect(new LinearAddress(address.Value ^ 0x1000), AccessKind.Write, mode);
            WalkTrace forecast = inspected.Inspect(address, kind, mode);
            WalkTrace made = inspected.Access(address, kind, mode);

            if (Text(forecast) != Text(made))
                Assert.Fail($"access {n}:\n{Text(forecast)}became\n{Text(made)}");
            Assert.Equal(Text(made), Text(other.Access(address, kind, mode)));
            walks += made.Reason is null ? 0 : 1;
            hits += made.Hit == TranslationHit.None ? 0 : 1;
            cached += made.References.Count - made.MemoryReferences;
            if (n % 250 == 0)
                inspected.AssertSameAs(other);
        }

        inspected.AssertSameAs(other);
        Assert.True(walks > accesses / 20, $"only {walks} walks");
        Assert.True(inspected.HasTlbs == hits > 0, $"{hits} hits");
        Assert.True(inspected.HasStructureCaches == cached > 0, $"{cached} cached steps");
    }

    private static string Text(WalkTrace trace) =>
        $"{trace with { References = [] }}\n" + string.Concat(trace.References.Select(step => $"  {step}\n"));

    /// <summary>A world with an MMU that is observed and keeps time, as <c>--fidelity cycles</c> under <c>inspect</c>.</summary>
    private sealed class Subject : IDisposable, ITranslationObserver
    {
        private readonly TimingModel _timing = new(SampleCaches.Caches(1, 1) with { L1Data = SampleCaches.Cache(128, 2, 5, CacheReplacement.Lru), L2 = SampleCaches.Cache(256, 2, 16, CacheReplacement.TreePlru) }, SampleCaches.Latencies);
        private readonly Mmu<ObservedAndTimed> _mmu;
        private WalkTrace? _last;

        public Subject(MmuConfiguration machine, bool nested, PageSize eptPage, PageMix mix, int seed)
        {
            Fuzz = new FuzzWorld(nested, eptPage, mix, seed);
            _mmu = Fuzz.World.Mmu(machine, new ObservedAndTimed(_timing, this));
            HasTlbs = machine.L1Data.Arrays.Count + machine.L2.Arrays.Count > 0;
            HasStructureCaches = machine.StructureCaches != Machines.Uncached.StructureCaches;
        }

        public FuzzWorld Fuzz { get; }

        public bool HasTlbs { get; }

        public bool HasStructureCaches { get; }

        public void Translated(WalkTrace trace) => _last = trace;

        public WalkTrace Inspect(LinearAddress address, AccessKind kind, AccessMode mode) => _timing.Forecast(_mmu.Inspect(address, kind, mode));

        public WalkTrace Access(LinearAddress address, AccessKind kind, AccessMode mode)
        {
            _last = null;
            if (!_mmu.TryTranslate(address, kind, mode, out _) && _mmu.Fault.Failure == TranslationFailure.PageFault)
                _mmu.InvalidateAfterPageFault(address);
            return _last!;
        }

        public void Disturb(int action, int focus)
        {
            var random = new Random(action);
            PagingContext current = _mmu.Context.IsPaging ? _mmu.Context : Fuzz.Contexts[0];
            switch (random.Next(8))
            {
                case 0:
                    ulong changed = Fuzz.ChangeTables(random, current, focus);
                    if (random.Next(2) == 0)
                        _mmu.InvalidatePage(new LinearAddress(changed));
                    break;
                case 1:
                    Fuzz.ChangeSize(random, current);
                    _mmu.InvalidateAll();
                    break;
                case 2 when Fuzz.IsEptSmall:
                    Fuzz.ChangeEpt(random);
                    break;
                case 3:
                    _mmu.InvalidateEptAll();
                    break;
                case 4:
                    _mmu.InvalidatePcid(current.Pcid);
                    break;
                default:
                    _mmu.SetContext(Fuzz.Contexts[random.Next(Fuzz.Contexts.Length)]);
                    break;
            }
        }

        public void AssertSameAs(Subject other)
        {
            Assert.Equal(StatisticsText.Of(other._mmu.Statistics), StatisticsText.Of(_mmu.Statistics));
            Assert.Equal(other._mmu.Work, _mmu.Work);
            Assert.Equal(other._mmu.Fault, _mmu.Fault);
            Assert.Equal((other._timing.Statistics.Cycles, other._timing.Statistics.WalkCycles), (_timing.Statistics.Cycles, _timing.Statistics.WalkCycles));
            Assert.Equal(other._timing.Statistics.Caches, _timing.Statistics.Caches);
            Assert.True(other.Fuzz.HasTheTablesOf(Fuzz), "the tables differ");
        }

        public void Dispose() => Fuzz.Dispose();
    }
}
