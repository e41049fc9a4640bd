using BenchmarkDotNet.Attributes;
using Mmu86.Cpu;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Bench.Parts;

/// <summary>What one translation costs, by how far it has to go. The slow side without handlers; InstructionCosts has it with them.</summary>
public unsafe class TranslationCosts
{
    private const int Accesses = 1 << 14;
    private const int L1Sets = 16;
    private const int L1Entries = 64;
    private const int L2Pages = 1024;
    private const int ManyPages = 8192;
    private const int WarmPages = 32;

    private static readonly MachineDescription Skylake = MachineCatalogue.Preset("skylake");
    private static readonly MachineDescription Uncached = MachineCatalogue.Preset("uncached");

    // Skylake's caches of partial walks behind no TLB at all: every access walks, and finds them warm.
    private static readonly MachineDescription WithoutTlb =
        Uncached with { Mmu = Uncached.Mmu with { StructureCaches = Skylake.Mmu.StructureCaches } };

    private readonly ulong[] _addresses = new ulong[Accesses];
    private TouchedPages _pages = null!;
    private IMmu _mmu = null!;
    private CpuState* _state;

    [GlobalSetup(Target = nameof(FirstLevel_MostRecentWay))]
    public void SetUpMostRecentWay()
    {
        Build(Skylake, PagingMode.Native, L1Sets, Random);
        FirstLevel_MostRecentWay();
        ulong before = _mmu.Statistics.L1Data.Lookups;
        FirstLevel_MostRecentWay();
        if (_mmu.Statistics.L1Data.Lookups != before)
            throw new MeasurementException("The filter does not answer.");
    }

    /// <summary>The probe that handlers make, of pages that are each the most recent of their set.</summary>
    [Benchmark(OperationsPerInvoke = Accesses, Description = "lookup, L1 hit of the most recent way, by the filter")]
    public ulong FirstLevel_MostRecentWay()
    {
        ulong sum = 0;
        foreach (ulong address in _addresses)
        {
            if (FilteredMemory.TryRead(_state, null, address, sizeof(ulong), out byte* pointer))
                sum += *(ulong*)pointer;
            else
                sum += Translate(address);
        }

        return sum;
    }

    [GlobalSetup(Target = nameof(FirstLevel_OtherWay))]
    public void SetUpOtherWay()
    {
        // Sixty-four pages in a row, over and over: each set's four ways in turn.
        Build(Skylake, PagingMode.Native, L1Entries, InOrder);
        _pages.Require(Accesses, () => FirstLevel_OtherWay(), done => done.L1Data.Hits);
    }

    /// <summary>A hit of the modelled first level on a way that is not the most recent: the filter cannot answer.</summary>
    [Benchmark(OperationsPerInvoke = Accesses, Description = "lookup, L1 hit of another way")]
    public ulong FirstLevel_OtherWay() => TranslateAll();

    [GlobalSetup(Target = nameof(SecondLevel))]
    public void SetUpSecondLevel()
    {
        Build(Skylake, PagingMode.Native, L2Pages, InOrder);
        _pages.Require(Accesses, () => SecondLevel(), done => done.L2.Hits);
    }

    /// <summary>A miss of the first level that the second answers; fills the first.</summary>
    [Benchmark(OperationsPerInvoke = Accesses, Description = "lookup, L2 hit")]
    public ulong SecondLevel() => TranslateAll();

    [GlobalSetup(Target = nameof(Miss_Native))]
    public void SetUpNativeMiss()
    {
        Build(Skylake, PagingMode.Native, ManyPages, Random);
        _pages.Require(Accesses, () => Miss_Native(), done => done.Walks.Count);
    }

    /// <summary>A miss of both levels, from pages at random: lookups, the walk, and an eviction in each level.</summary>
    [Benchmark(OperationsPerInvoke = Accesses, Description = "lookup, miss of L1 and L2 over 8192 pages at random, native")]
    public ulong Miss_Native() => TranslateAll();

    [GlobalSetup(Target = nameof(Miss_Nested))]
    public void SetUpNestedMiss()
    {
        Build(Skylake, PagingMode.Nested, ManyPages, Random);
        _pages.Require(Accesses, () => Miss_Nested(), done => done.Walks.Count);
    }

    /// <summary>The same in two dimensions.</summary>
    [Benchmark(OperationsPerInvoke = Accesses, Description = "the same, nested")]
    public ulong Miss_Nested() => TranslateAll();

    [GlobalSetup(Target = nameof(Walk_Native))]
    public void SetUpNativeWalk()
    {
        Build(WithoutTlb, PagingMode.Native, WarmPages, Random);
        _pages.Require(Accesses, () => Walk_Native(), done => done.Walks.Count);
    }

    /// <summary>A walk alone, on a machine that has no TLB: the caches of partial walks hold all they can.</summary>
    [Benchmark(OperationsPerInvoke = Accesses, Description = "walk with warm structure caches, native")]
    public ulong Walk_Native() => TranslateAll();

    [GlobalSetup(Target = nameof(Walk_Nested))]
    public void SetUpNestedWalk()
    {
        Build(WithoutTlb, PagingMode.Nested, WarmPages, Random);
        _pages.Require(Accesses, () => Walk_Nested(), done => done.Walks.Count);
    }

    /// <summary>The same in two dimensions.</summary>
    [Benchmark(OperationsPerInvoke = Accesses, Description = "walk with warm structure caches, nested")]
    public ulong Walk_Nested() => TranslateAll();

    [GlobalSetup(Target = nameof(Walk_NativeInFull))]
    public void SetUpFullNativeWalk()
    {
        Build(Uncached, PagingMode.Native, L1Entries, Random);
        _pages.Require(Accesses, () => Walk_NativeInFull(), done => done.Walks.References / 4);
    }

    /// <summary>No cache of anything: four references.</summary>
    [Benchmark(OperationsPerInvoke = Accesses, Description = "walk in full, 4 references")]
    public ulong Walk_NativeInFull() => TranslateAll();

    [GlobalSetup(Target = nameof(Walk_NestedInFull))]
    public void SetUpFullNestedWalk()
    {
        Build(Uncached, PagingMode.Nested, L1Entries, Random);
        _pages.Require(Accesses, () => Walk_NestedInFull(), done => done.Walks.References / 24);
    }

    /// <summary>No cache of anything in two dimensions: twenty-four references.</summary>
    [Benchmark(OperationsPerInvoke = Accesses, Description = "walk in full, 24 references")]
    public ulong Walk_NestedInFull() => TranslateAll();

    [GlobalCleanup]
    public void CleanUp() => _pages.Dispose();

    private ulong TranslateAll()
    {
        ulong sum = 0;
        foreach (ulong address in _addresses)
            sum += Translate(address);
        return sum;
    }

    private ulong Translate(ulong address) =>
        _mmu.TryTranslate(new LinearAddress(address), AccessKind.Read, AccessMode.Supervisor, out Translation translation)
            ? translation.Address.Value
            : throw new MeasurementException("A page that was touched is not there.");

    private void Build(MachineDescription machine, PagingMode paging, int pages, Func<int, int, int> choose)
    {
        _pages = new TouchedPages(machine, paging, pages);
        _mmu = _pages.Mmu;
        _state = _pages.Machine.Vcpu.State;
        for (int i = 0; i < Accesses; i++)
            _addresses[i] = _pages[choose(i, pages)];
    }

    private static int InOrder(int access, int pages) => access % pages;

    // Each page once before any is seen again, in an order that looks like none: the pages are a power of two.
    private static int Random(int access, int pages) => (int)((uint)access * 0x9E37_79B1) & (pages - 1);
}
