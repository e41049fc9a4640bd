using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Cpu;

/// <summary>Running a guest allocates nothing on the managed heap: not for an instruction, an access, a miss or a walk.</summary>
public sealed class AllocationTests
{
    // Decoding may allocate, and the last instructions before a limit are decoded one by one. Far less than a byte for each
    // instruction or walk would be.
    private const long MostBytesForDecoding = 16 << 10;

    [Theory]
    [InlineData("fibonacci", "34", "skylake", PagingMode.Native, 2_000_000, 0)]
    [InlineData("sieve", "10000000", "skylake", PagingMode.Nested, 2_000_000, 0)]
    [InlineData("pointer-chase", "4096 10000000", "skylake", PagingMode.Native, 2_000_000, 100_000)]
    [InlineData("pointer-chase", "4096 10000000", "skylake", PagingMode.Nested, 2_000_000, 100_000)]
    [InlineData("gups", "1024 1000000", "uncached", PagingMode.Native, 100_000, 100_000)]
    [InlineData("gups", "1024 1000000", "uncached", PagingMode.Nested, 100_000, 100_000)]
    public void Guest_RunningOn_AllocatesNothing(
        string name, string arguments, string machineName, PagingMode paging, ulong instructions, ulong leastWalks)
    {
        using GuestMachine machine = Build(name, arguments, machineName, paging);
        bool begun = false;
        ulong retired = 0;
        while (!begun)
            RunOn(machine, retired += 100_000, () => begun = true);
        RunOn(machine, retired += instructions, () => { });
        WalkStatistics walksBefore = machine.Vcpu.Statistics.Walks;

        long before = GC.GetAllocatedBytesForCurrentThread();
        ExitReport? end = machine.Run(retired + instructions, static _ => { });
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Null(end);
        Assert.True(machine.Vcpu.Statistics.Walks.Since(walksBefore).Count >= leastWalks);
        Assert.InRange(allocated, 0, MostBytesForDecoding);
    }

    private static void RunOn(GuestMachine machine, ulong limit, Action marked) =>
        Assert.Null(machine.Run(limit, _ => marked()));

    private static GuestMachine Build(string name, string arguments, string machineName, PagingMode paging)
    {
        string[] parameters = arguments.Split(' ');
        byte[] image = GuestCatalogue.Find(name)!.Build(new GuestBuildOptions { Arguments = parameters });
        var options = new RunOptions
        {
            Program = new ProgramImage { Name = name, Bytes = image, Arguments = parameters },
            Machine = MachineCatalogue.Preset(machineName),
            Paging = paging,
            GuestPage = PageSize.Size4K,
            HostPage = PageSize.Size4K,
            Fidelity = Fidelity.Tlb,
            MemoryBytes = 64UL << 20,
            Seed = 1,
        };
        return GuestMachine.Build(options, GuestOutput.None, observer: null);
    }
}
