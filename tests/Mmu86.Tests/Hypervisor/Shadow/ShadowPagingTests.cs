using Mmu86.Hypervisor.Shadow;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Shadow;

/// <summary>A guest on shadow tables sees what it sees on a processor of its own.</summary>
public sealed class ShadowPagingTests
{
    private static readonly int Programs = TestTiers.Pick(standard: 6, ci: 30, soak: 400);

    public static TheoryData<string, PageSize> Guests()
    {
        var guests = new TheoryData<string, PageSize>();
        foreach (string guest in SmallRuns.Guests)
        {
            guests.Add(guest, PageSize.Size4K);
            if (!guest.StartsWith("kernel", StringComparison.Ordinal))
                guests.Add(guest, PageSize.Size2M);
        }

        foreach (string guest in new[] { "sieve@bare 20000", "tree@bare 1500", "strings@bare 2", "gups@bare 400 4000" })
            guests.Add(guest, PageSize.Size2M);
        return guests;
    }

    [Theory]
    [MemberData(nameof(Guests))]
    public void Run_BundledGuest_GivesWhatNativeAndNestedGive(string guest, PageSize page)
    {
        Outcome native = Run(Options(PagingMode.Native, Fidelity.Tlb));
        Outcome nested = Run(Options(PagingMode.Nested, Fidelity.Tlb));
        Outcome shadow = Run(Options(PagingMode.Shadow, Fidelity.Tlb));
        Outcome fast = Run(Options(PagingMode.Shadow, Fidelity.Fast));

        Assert.Equal(native.Output, nested.Output);
        Assert.Equal(native.Output, shadow.Output);
        Assert.Equal(native.Output, fast.Output);
        Assert.Equal(native.Exit, shadow.Exit);

        // What the guest did is the same; what it took is not.
        foreach (Outcome other in new[] { shadow, fast })
        {
            Assert.Equal(native.Counts.Instructions, other.Counts.Instructions);
            Assert.Equal(native.Counts.RepIterations, other.Counts.RepIterations);
            Assert.Equal(native.Counts.Accesses.Loads, other.Counts.Accesses.Loads);
            Assert.Equal(native.Counts.Accesses.Stores, other.Counts.Accesses.Stores);
            Assert.Equal(native.Counts.Faults.PageFaults, other.Counts.Faults.PageFaults);
        }

        // Guests that touch many pages of 2 MiB.
        RunOptions Options(PagingMode paging, Fidelity fidelity) =>
            SmallRuns.Options(guest, paging, fidelity, page) with { MemoryBytes = page == PageSize.Size4K ? SmallRuns.MemoryBytes : 1 << 30 };
    }

    [Theory]
    [InlineData(PageSize.Size4K, PageSize.Size4K, 4)]
    [InlineData(PageSize.Size4K, PageSize.Size2M, 4)]
    [InlineData(PageSize.Size2M, PageSize.Size4K, 4)]
    public void Walk_WithoutCaches_HasFourReferences(PageSize guestPage, PageSize hostPage, int references)
    {
        Outcome shadow = Run(Uncached("pointer-chase 200 3000", PagingMode.Shadow, guestPage, hostPage));

        WalkCounts walks = shadow.Counts.Walks!;
        Assert.True(walks.Count > 10_000);
        Assert.Equal(references * walks.Count, walks.References);
        Assert.Equal(0, walks.EptReferences);
    }

    [Fact]
    public void Walk_WithoutCaches_HasTwentyFourReferencesUnderNestedTables()
    {
        Outcome nested = Run(Uncached("pointer-chase 200 3000", PagingMode.Nested, PageSize.Size4K, PageSize.Size4K));

        Assert.Equal(24 * nested.Counts.Walks!.Count, nested.Counts.Walks.References);
    }

    // The processor's page is the smaller of both.
    [Fact]
    public void Walk_LargePagesOfBoth_AreLargeInShadowTables()
    {
        Outcome shadow = Run(Uncached("pointer-chase 20 3000", PagingMode.Shadow, PageSize.Size2M, PageSize.Size2M));

        WalkCounts walks = shadow.Counts.Walks!;
        Assert.InRange((double)walks.References / walks.Count, 3.0, 3.01);
    }

    public static TheoryData<int, PageSize, string> PagingPrograms()
    {
        var cases = new TheoryData<int, PageSize, string>();
        for (int number = 0; number < Programs; number++)
            cases.Add(number, number % 2 == 0 ? PageSize.Size4K : PageSize.Size2M, number % 3 == 0 ? "uncached" : "skylake");
        return cases;
    }

    [Theory]
    [MemberData(nameof(PagingPrograms))]
    public void Run_KernelThatChangesItsTablesByTheRules_SeesWhatAProcessorWithoutCachesShows(int number, PageSize hostPage, string machine)
    {
        byte[] image = PagingProgram.Make(TestSeed.Case(number), 1500);

        (byte[] native, _) = Run(image, PagingMode.Native, "uncached", PageSize.Size4K);
        (byte[] shadow, ShadowCounts? counts) = Run(image, PagingMode.Shadow, machine, hostPage);

        int difference = native.AsSpan().CommonPrefixLength(shadow);
        Assert.True(difference == native.Length, $"seed {TestSeed.Base}, program {number}: memory differs at 0x{difference:x}");
        Assert.True(counts!.WriteProtectFaults > 0 && counts.EntriesDropped > 0 && counts.HiddenPageFaults > 0 && counts.InjectedPageFaults > 0);
    }

    [Fact]
    public void Destroy_MachineWithShadowTables_ReturnsEveryFrame()
    {
        using GuestMachine machine = GuestMachine.Build(SmallRuns.Options("kernel-two-processes", PagingMode.Shadow, Fidelity.Fast, PageSize.Size4K), GuestOutput.None, null);
        Assert.Null(machine.Run(1_000_000, _ => { }));
        ShadowPaging shadow = machine.Virtual!.Shadow!;
        Assert.True(shadow.TableFrames > 10);

        machine.Virtual.Destroy();

        Assert.Equal(0UL, machine.Virtual.Frames.Owned);
        Assert.Equal(0, shadow.TableFrames);
    }

    [Fact]
    public void Run_ManyAddressSpaceSwitches_KeepsTheTablesOfBoth()
    {
        RunOptions options = SmallRuns.Options("kernel-two-processes 2000", PagingMode.Shadow, Fidelity.Tlb, PageSize.Size4K);

        ShadowPagingCounts shadow = Run(options).Counts.Shadow!;

        Assert.True(shadow.Exits.CrWrites > 4000);
        Assert.InRange(shadow.Exits.HiddenPageFaults, 10, 100);
    }

    // A fiftieth of 16 MiB are 81 tables; four roots with and without execute-disable want more.
    [Fact]
    public void Run_MoreTablesThanThereIsRoomFor_DropsTheRootLeftLongestAgo()
    {
        byte[] image = PagingProgram.Make(TestSeed.Case(7000), 6000);

        (byte[] native, _) = Run(image, PagingMode.Native, "uncached", PageSize.Size4K);
        (byte[] shadow, ShadowCounts? counts) = Run(image, PagingMode.Shadow, "skylake", PageSize.Size4K);

        Assert.Equal(native, shadow);
        Assert.True(counts!.SpacesDropped > 0);
    }

    private static RunOptions Uncached(string guest, PagingMode paging, PageSize guestPage, PageSize hostPage) =>
        SmallRuns.Options(guest, paging, Fidelity.Tlb, guestPage) with { Machine = MachineCatalogue.Find("uncached", []), HostPage = hostPage, MemoryBytes = 512 << 20 };

    private static Outcome Run(RunOptions options)
    {
        var output = new MemoryStream();
        RunReport report = new GuestRunner(options, new GuestOutput(output, output, output)).Run(CancellationToken.None);
        return new Outcome(System.Text.Encoding.ASCII.GetString(output.ToArray()), $"{report.Exit.Kind} {report.Exit.Status} {report.Exit.Detail}", report.ToCounts());
    }

    private static (byte[] Memory, ShadowCounts? Counts) Run(byte[] image, PagingMode paging, string machineName, PageSize hostPage)
    {
        var options = new RunOptions
        {
            Program = new ProgramImage { Name = "program", Bytes = image, Arguments = [] },
            Format = ImageKind.Flat,
            LoadAddress = PagingProgram.LoadAddress,
            Entry = PagingProgram.Code,
            Machine = MachineCatalogue.Find(machineName, []),
            Paging = paging,
            GuestPage = PageSize.Size4K,
            HostPage = hostPage,
            Fidelity = Fidelity.Tlb,
            MemoryBytes = PagingProgram.MemoryBytes,
            Seed = 1,
        };
        using GuestMachine machine = GuestMachine.Build(options, GuestOutput.None, null);
        ExitReport exit = machine.Run(50_000_000, _ => { })!;
        Assert.Equal((ExitKind.Exited, 1, null), (exit.Kind, exit.Status, exit.Detail));
        byte[] memory = new byte[PagingProgram.MemoryBytes];
        for (int at = 0; at < memory.Length; at += 4096)
        {
            // What was never touched under shadow tables reads as zeros.
            if (!machine.TryPeek(new LinearAddress((ulong)at), Mmu86.Paging.AccessKind.Read, memory.AsSpan(at, 4096)))
                memory.AsSpan(at, 4096).Clear();
        }

        return (memory, machine.Virtual?.Shadow?.Counts);
    }

    private sealed record Outcome(string Output, string Exit, RunCounts Counts);
}
