using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Bench.Parts;

/// <summary>A machine whose guest has touched a run of pages and ended: tables, EPT and frames are as a guest leaves them.</summary>
internal sealed class TouchedPages : IDisposable
{
    private readonly ulong _first;

    /// <summary>Runs the ring-0 pointer chase over so many pages.</summary>
    public TouchedPages(MachineDescription machine, PagingMode paging, int pages)
    {
        string[] arguments = [$"{pages}", "1"];
        byte[] image = GuestCatalogue.Find("pointer-chase" + GuestCatalogue.BareSuffix)!.Build(new GuestBuildOptions { Arguments = arguments });
        Machine = GuestMachine.Build(
            new RunOptions
            {
                Program = new ProgramImage { Name = "pointer-chase", Bytes = image, Arguments = arguments },
                Machine = machine,
                Paging = paging,
                GuestPage = PageSize.Size4K,
                HostPage = PageSize.Size4K,
                Fidelity = Fidelity.Tlb,
                MemoryBytes = 256UL << 20,
                Seed = 1,
            },
            GuestOutput.None,
            observer: null);
        if (Machine.Run(ulong.MaxValue, _ => { }) is not { Kind: ExitKind.Exited } || !Machine.Image.Symbols.TryFind("data", out LinearAddress data))
            throw new MeasurementException("The guest that touches pages did not end well.");
        _first = data.Value;
    }

    /// <summary>The machine.</summary>
    public GuestMachine Machine { get; }

    /// <summary>Its MMU.</summary>
    public IMmu Mmu => Machine.Mmu;

    /// <summary>The first address of a page.</summary>
    public ulong this[int page] => _first + ((ulong)page << 12);

    /// <summary>Checks that accesses do what they are to be measured for, and says what their walks read.</summary>
    /// <param name="accesses">How many <paramref name="run"/> makes.</param>
    /// <param name="run">Makes them.</param>
    /// <param name="share">Counts of the statistics those that did it.</param>
    public void Require(int accesses, Action run, Func<MmuStatistics, ulong> share)
    {
        run();
        MmuStatistics before = Mmu.Statistics;
        run();
        MmuStatistics done = Mmu.Statistics.Since(before);
        if (done.L1Data.Lookups == (ulong)accesses && share(done) < 0.98 * accesses)
            throw new MeasurementException($"Only {share(done)} of {accesses} accesses do what is to be measured.");
        if (done.Walks.Count > 0)
            Console.Error.WriteLine($"// {(double)done.Walks.References / done.Walks.Count:0.00} references a walk");
    }

    public void Dispose() => Machine.Dispose();
}
