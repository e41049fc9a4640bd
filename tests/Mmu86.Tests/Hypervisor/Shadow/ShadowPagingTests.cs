using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.GuestPrograms;
using Mmu86.Hypervisor.Shadow;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Hypervisor.Shadow;

/// <summary>A guest on shadow tables sees what it sees on a processor of its own.</summary>
[LongTests]
public sealed class ShadowPagingTests
{
    private const int Variants = 5;

    private static readonly int Programs = TestTiers.Pick(standard: 10, ci: 30, soak: 400);

    public static TheoryData<string, PageSize> Guests()
    {
        IEnumerable<string> large = SmallRuns.Guests.Where(guest => !guest.StartsWith("kernel", StringComparison.Ordinal));
        string[] bare = ["sieve@bare 20000", "tree@bare 1500", "strings@bare 2", "gups@bare 400 4000"];
        var guests = new TheoryData<string, PageSize>();
        foreach (string guest in SmallRuns.Guests)
            guests.Add(guest, PageSize.Size4K);
        foreach (string guest in TestTiers.Sample(large.Concat(bare), step: 4))
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

        // A guest that looks for a balloon and a disk finds them in virtual machines only.
        if (guest.StartsWith("memory-kernel", StringComparison.Ordinal))
            native = nested;
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
            cases.Add(number, number % 2 == 0 ? PageSize.Size4K : PageSize.Size2M, number / Variants % 4 == 3 ? "uncached" : "skylake");
        return cases;
    }

    [Theory]
    [MemberData(nameof(PagingPrograms))]
    public void Run_KernelThatChangesItsTablesByTheRules_SeesWhatAProcessorWithoutCachesShows(int number, PageSize hostPage, string machine)
    {
        var variant = (PagingVariant)(number % Variants);
        byte[] image = PagingProgram.Make(TestSeed.Case(number), 1500, variant);

        Ending reference = Run(image, variant, PagingMode.Native, Machine("uncached", variant), PageSize.Size4K);
        Ending native = Run(image, variant, PagingMode.Native, Machine("skylake", variant), PageSize.Size4K);
        Ending nested = Run(image, variant, PagingMode.Nested, Machine("skylake", variant), hostPage);
        Ending shadow = Run(image, variant, PagingMode.Shadow, Machine(machine, variant), hostPage);

        AssertSame(reference, native, $"native, seed {TestSeed.Base}, program {number}");
        AssertSame(reference, nested, $"nested, seed {TestSeed.Base}, program {number}");
        AssertSame(reference, shadow, $"shadow, seed {TestSeed.Base}, program {number}");
        ShadowCounts counts = shadow.Counts!;
        Assert.True(counts.WriteProtectFaults > 0 && counts.EntriesDropped > 0 && counts.HiddenPageFaults > 0 && counts.InjectedPageFaults > 0);
    }

    // Before frames return to the host, nothing may lead to them any more.
    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void ReportFree_FramesThatShadowTablesMap_AreForgottenFirst(PageSize hostPage)
    {
        using GuestMachine machine = GuestMachine.Build(
            SmallRuns.Options("kernel-two-processes 100000", PagingMode.Shadow, Fidelity.Tlb, PageSize.Size4K) with { HostPage = hostPage }, GuestOutput.None, null);
        Assert.Null(machine.Run(1_000_000, _ => { }));
        ShadowPaging shadow = machine.Virtual!.Shadow!;
        ulong fills = shadow.Counts.Fills;
        Assert.True(shadow.TableFrames > 10);

        Assert.True(machine.Virtual.Memory.ReportFree(new GuestPhysicalAddress(SmallRuns.MemoryBytes / 2), SmallRuns.MemoryBytes / 4));
        machine.Virtual.Memory.Write(new GuestPhysicalAddress(SmallRuns.MemoryBytes / 2), [1]);
        Assert.True(machine.Virtual.Memory.ReportFree(new GuestPhysicalAddress(SmallRuns.MemoryBytes / 2), 4 << 20));

        Assert.Equal(1, shadow.TableFrames);
        Assert.Null(machine.Run(2_000_000, _ => { }));
        Assert.True(shadow.Counts.Fills > fills + 10);
    }

    [Fact]
    public void Destroy_MachineWithShadowTables_ReturnsEveryFrame()
    {
        using GuestMachine machine = GuestMachine.Build(SmallRuns.Options("kernel-two-processes 100000", PagingMode.Shadow, Fidelity.Fast, PageSize.Size4K), GuestOutput.None, null);
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

        RunCounts counts = Run(options).Counts;
        ShadowPagingCounts shadow = counts.Shadow!;

        Assert.True(shadow.Exits.CrWrites > 4000);
        Assert.InRange(shadow.Exits.HiddenPageFaults, 10, 100);

        // And what the processor remembers of them: nothing changed.
        Assert.InRange(counts.Walks!.Count + counts.Walks.Faulted, 10, 300);
    }

    // A fiftieth of 16 MiB are 81 tables; four roots with and without execute-disable want more.
    [Fact]
    public void Run_MoreTablesThanThereIsRoomFor_DropsTheRootLeftLongestAgo()
    {
        byte[] image = PagingProgram.Make(TestSeed.Case(7000), 6000, PagingVariant.FourLevels);

        Ending native = Run(image, PagingVariant.FourLevels, PagingMode.Native, MachineCatalogue.Find("uncached", []), PageSize.Size4K);
        Ending shadow = Run(image, PagingVariant.FourLevels, PagingMode.Shadow, MachineCatalogue.Find("skylake", []), PageSize.Size4K);

        AssertSame(native, shadow, "shadow");
        Assert.True(shadow.Counts!.SpacesDropped > 0);
    }

    // INVLPG of any address of a large page of the guest takes all parts that shadow tables and TLB have of it.
    [Theory]
    [InlineData(PageSize.Size4K)]
    [InlineData(PageSize.Size2M)]
    public void Run_KernelThatForgetsToInvalidate_SeesWhatTheManualAllows(PageSize hostPage)
    {
        RunOptions options = SmallRuns.Options("kernel-stale-translation", PagingMode.Shadow, Fidelity.Tlb, PageSize.Size4K) with { HostPage = hostPage };
        GuestProgram kernel = GuestCatalogue.Find("kernel-stale-translation")!;

        Outcome run = Run(options);

        Assert.Contains(run.Output, kernel.AcceptableOutputs(new GuestBuildOptions()));
        Assert.StartsWith("page changed, no INVLPG: old\n", run.Output);
    }

    // A boot sector: protected mode, then paging, of 32 bits or PAE.
    [Theory]
    [InlineData(Cr4.None, "32-bit")]
    [InlineData(Cr4.PhysicalAddressExtension, "PAE")]
    public void Run_GuestThatTurnsOnAModeWithoutShadowTables_EndsInWords(Cr4 controls, string mode)
    {
        var code = new Assembler(16);
        code.mov(eax, (uint)controls);
        code.mov(cr4, eax);
        code.mov(eax, 0x1000);
        code.mov(cr3, eax);
        code.mov(eax, cr0);
        code.or(eax, 0x8000_0001);
        code.mov(cr0, eax);
        code.hlt();
        var sector = new MemoryStream();
        code.Assemble(new StreamCodeWriter(sector), 0x7C00);
        byte[] image = new byte[512];
        sector.ToArray().CopyTo(image, 0);
        (image[510], image[511]) = (0x55, 0xAA);
        RunOptions options = SmallRuns.Options("hello", PagingMode.Shadow, Fidelity.Tlb, PageSize.Size4K) with
        {
            Program = new ProgramImage { Name = "boot", Bytes = image, Arguments = [] },
            Format = ImageKind.BootSector,
        };

        Outcome run = Run(options);

        Assert.StartsWith($"Fault 69 not supported yet: shadow tables for {mode} paging", run.Exit);
    }

    [Fact]
    public void Run_WithTimeOfCaches_PaysForExitsBesides()
    {
        RunOptions options = SmallRuns.Options("kernel-two-processes 500", PagingMode.Shadow, Fidelity.Cycles, PageSize.Size4K);

        RunCounts shadow = Run(options).Counts;
        RunCounts native = Run(options with { Paging = PagingMode.Native }).Counts;

        Assert.Null(native.Shadow);
        Assert.True(shadow.Shadow!.Cycles >= 1200 * shadow.Shadow.ExitCount);
        Assert.True(shadow.Cycles > native.Cycles + shadow.Shadow.Cycles);
    }

    [Fact]
    public void SaveState_MachineWithShadowTables_IsRefused()
    {
        using GuestMachine machine = GuestMachine.Build(SmallRuns.Options("hello", PagingMode.Shadow, Fidelity.Fast, PageSize.Size4K), GuestOutput.None, null);

        InvalidOperationException refusal = Assert.Throws<InvalidOperationException>(() => machine.SaveState(new StateWriter(machine.Addresses)));

        Assert.Contains("shadow", refusal.Message);
    }

    private static RunOptions Uncached(string guest, PagingMode paging, PageSize guestPage, PageSize hostPage) =>
        SmallRuns.Options(guest, paging, Fidelity.Tlb, guestPage) with { Machine = MachineCatalogue.Find("uncached", []), HostPage = hostPage, MemoryBytes = 512 << 20 };

    private static Outcome Run(RunOptions options)
    {
        var output = new MemoryStream();
        RunReport report = new GuestRunner(options, new GuestOutput(output, output, output)).Run(CancellationToken.None);
        return new Outcome(System.Text.Encoding.ASCII.GetString(output.ToArray()), $"{report.Exit.Kind} {report.Exit.Status} {report.Exit.Detail}", report.ToCounts());
    }

    // The translation caches of one processor, and for protection keys and 5 levels what another says of itself.
    private static MachineDescription Machine(string name, PagingVariant variant)
    {
        MachineDescription machine = MachineCatalogue.Find(name, []);
        return variant switch
        {
            PagingVariant.FourLevelsWithKeys or PagingVariant.FiveLevelsWithKeys => machine with { Cpuid = MachineCatalogue.Find("golden-cove", []).Cpuid },
            PagingVariant.FourLevelsWithBroadcast => machine with { Cpuid = machine.Cpuid with { Features = [.. machine.Cpuid.Features, "invlpgb"] } },
            _ => machine,
        };
    }

    private static void AssertSame(Ending expected, Ending actual, string what)
    {
        int difference = expected.Memory.AsSpan().CommonPrefixLength(actual.Memory);
        Assert.True(difference == expected.Memory.Length, $"{what}: memory differs at 0x{difference:x}");
        Assert.Equal(expected.Registers, actual.Registers);
    }

    private static Ending Run(byte[] image, PagingVariant variant, PagingMode paging, MachineDescription processor, PageSize hostPage)
    {
        var options = new RunOptions
        {
            Program = new ProgramImage { Name = "program", Bytes = image, Arguments = [] },
            Format = ImageKind.Flat,
            LoadAddress = PagingProgram.LoadAddress,
            Entry = PagingProgram.Code,
            Machine = processor,
            Paging = paging,
            GuestPage = PageSize.Size4K,
            HostPage = hostPage,
            Fidelity = Fidelity.Tlb,
            MemoryBytes = PagingProgram.MemoryBytes,
            Seed = 1,
        };
        using GuestMachine machine = GuestMachine.Build(options, GuestOutput.None, null);
        if (variant == PagingVariant.FiveLevelsWithKeys)
        {
            machine.Vcpu.System.Cr4 |= Cr4.LinearAddress57;
            machine.Vcpu.System.Cr3 = PagingProgram.FiveLevelRoot;
            machine.Vcpu.ContextChanged();
            machine.Virtual?.Shadow?.Attach(machine.Vcpu);
        }

        ExitReport exit = machine.Run(50_000_000, _ => { })!;
        Assert.Equal((ExitKind.Exited, 1, null), (exit.Kind, exit.Status, exit.Detail));
        byte[] memory = new byte[PagingProgram.MemoryBytes];
        for (int at = 0; at < memory.Length; at += 4096)
        {
            // What was never touched under shadow tables reads as zeros.
            if (!machine.TryPeek(new LinearAddress((ulong)at), Mmu86.Paging.AccessKind.Read, memory.AsSpan(at, 4096)))
                memory.AsSpan(at, 4096).Clear();
        }

        SystemState system = machine.Vcpu.System;
        ulong[] registers =
        [
            .. Enumerable.Range(0, 16).Select(number => machine.Vcpu.Registers.Read(Register.RAX + number)),
            machine.Vcpu.Registers.Rip, (ulong)system.Cr0, system.Cr2, system.Cr3, (ulong)system.Cr4, (ulong)system.Efer, system.Pkru, system.Pkrs,
            machine.Vcpu.Counters.Instructions, machine.Vcpu.Counters.PageFaults,
        ];
        return new Ending(memory, registers, machine.Virtual?.Shadow?.Counts);
    }

    // Memory as the guest leaves it, registers, how many instructions and page faults there were.
    private sealed record Ending(byte[] Memory, ulong[] Registers, ShadowCounts? Counts);

    private sealed record Outcome(string Output, string Exit, RunCounts Counts);
}
