using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Running;
using Mmu86.Lab.Snapshots;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running.Snapshots;

/// <summary>Whole machines as snapshots: memory too, and in bytes.</summary>
[LongTests]
public sealed class GuestSnapshotTests
{
    private static readonly string[] s_machines = ["skylake", "zen1", "zen3", "zen5", "golden-cove", "gracemont", "haswell", "nehalem", "uncached", "ideal"];

    // What presets leave out: other policies, hashes, prefetchers and inclusions.
    private static readonly string[][] s_overrides =
    [
        [],
        [],
        ["clock.counts=cycles"],
        ["mmu.l1Data.arrays[0].replacement=srrip"],
        ["mmu.l1Data.arrays[0].replacement=nru"],
        ["mmu.l1Data.arrays[0].replacement=random", "mmu.l2.arrays[0].replacement=random"],
        ["mmu.l1Data.arrays[0].replacement=fifo"],
        ["mmu.l2.inclusion=exclusive"],
        ["mmu.l2.inclusion=inclusive"],
        ["mmu.prefetch={\"kind\":\"distance\",\"degree\":2,\"tableEntries\":64}"],
        ["mmu.l1Data.arrays[0].serves=loads"],
        ["mmu.l1Data.pcidSlots=2"],
    ];

    public static TheoryData<string> Guests => [.. SmallRuns.Guests, "sieve@bare 20000", "gups@bare 400 4000", "kernel-stale-translation", "memory-kernel random 300 4000"];

    [Theory]
    [MemberData(nameof(Guests))]
    public void Snapshot_AtRandomInstructions_RunsOnAsIfNothingHadBeen(string guest)
    {
        int cases = TestTiers.Pick(1, 40, 400);
        for (int i = 0; i < cases; i++)
        {
            Random random = TestSeed.Case((guest.Length * 1000) + i);
            RunOptions? options = Random(guest, random);
            if (options is null)
                continue;
            RunTrace straight = SmallRuns.Run(options, null, null);
            ulong end = ulong.Parse(straight.Counts.Split("\"Instructions\": ")[1].Split(',')[0], System.Globalization.CultureInfo.InvariantCulture);
            ulong[] cuts = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => (ulong)random.NextInt64(1, (long)end)).Distinct().Order()];
            try
            {
                RunTrace.AssertSame(straight, SnapshotRuns.Run(options, cuts, Move));
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"case {i}: {options.Machine.Name} {options.Fidelity} {options.Paging} {options.GuestPage} on {options.HostPage}, cut at {string.Join(',', cuts)} of {end}", exception);
            }
        }
    }

    // The kernel pages to its disk, and its balloon has grown and is to shrink: requests are under way, frames are ballooned.
    [SkippableTheory]
    [InlineData(Fidelity.Tlb, PageSize.Size4K)]
    [InlineData(Fidelity.Cycles, PageSize.Size2M)]
    public void Snapshot_OfAKernelWithDiskAndBalloon_RunsOnAsIfNothingHadBeen(Fidelity fidelity, PageSize hostPage)
    {
        const int Cuts = 12;
        // Three runs of 30 million instructions each.
        TestTiers.Require(fidelity == Fidelity.Cycles ? TestTier.Ci : TestTier.Default);
        RunOptions options = SmallRuns.Options("memory-kernel random 3600 5000 100 100", PagingMode.Nested, fidelity, PageSize.Size4K) with { MemoryBytes = 16UL << 20, HostPage = hostPage };
        RunTrace plain = SmallRuns.Run(options, null, null);
        ulong end = ulong.Parse(plain.Counts.Split("\"Instructions\": ")[1].Split(',')[0], System.Globalization.CultureInfo.InvariantCulture);
        ulong[] cuts = [.. Enumerable.Range(1, Cuts).Select(i => (end * (ulong)i / (Cuts + 2)) + (ulong)i)];
        RunTrace straight = SnapshotRuns.Run(options, cuts, (old, _) => Squeeze(old));
        ulong ballooned = 0;
        RunTrace cut = SnapshotRuns.Run(options, cuts, (old, output) =>
        {
            ballooned = Math.Max(ballooned, Squeeze(old).Virtual!.Memory.BalloonedFrames);
            return Move(old, output);
        });
        RunTrace.AssertSame(straight, cut);
        Assert.Equal(plain.Output, cut.Output);
        Assert.True(ballooned > 0, "the balloon never had a frame");
    }

    private static GuestMachine Squeeze(GuestMachine machine)
    {
        ulong instructions = machine.Vcpu.Counters.Instructions;
        machine.Virtual!.Balloon.TargetFrames = instructions % 3 * 256;
        return machine;
    }

    [Fact]
    public void Snapshot_OfAMachineThatWasRestored_IsTheSameToTheByte()
    {
        foreach (PagingMode paging in new[] { PagingMode.Native, PagingMode.Nested })
        {
            RunOptions options = SmallRuns.Options("hash-table 2000", paging, Fidelity.Cycles, PageSize.Size4K);
            using GuestMachine machine = GuestMachine.Build(options, GuestOutput.None, null);
            Assert.Null(machine.Run(50_000, _ => { }));
            byte[] first = Take(machine);
            using GuestMachine restored = GuestSnapshot.Read(new SnapshotReader(new MemoryStream(first)), GuestOutput.None);
            Assert.Equal(first, Take(restored));
        }
    }

    internal static byte[] Take(GuestMachine machine)
    {
        var stream = new MemoryStream();
        var writer = new SnapshotWriter(stream);
        GuestSnapshot.Write(writer, machine);
        writer.Complete();
        return stream.ToArray();
    }

    private static GuestMachine Move(GuestMachine old, GuestOutput output)
    {
        GuestMachine machine = GuestSnapshot.Read(new SnapshotReader(new MemoryStream(Take(old))), output);
        old.Dispose();
        return machine;
    }

    // Null where the machine that was drawn cannot run it.
    private static RunOptions? Random(string guest, Random random)
    {
        PagingMode paging = random.Next(2) == 0 ? PagingMode.Native : PagingMode.Nested;
        Fidelity fidelity = (Fidelity)random.Next(3);
        // Guests of so many pages need more memory than a test should look through.
        bool isOfPages = guest.Split(' ')[0] is "tlb-probe" or "gups" or "gups@bare" or "stride" or "line-chase" or "jump-chain" or "pointer-chase";
        PageSize page = random.Next(4) == 0 && !isOfPages ? PageSize.Size2M : PageSize.Size4K;
        string name = s_machines[random.Next(s_machines.Length)];
        string[] overrides = s_overrides[random.Next(s_overrides.Length)];
        RunOptions options = SmallRuns.Options(guest, paging, fidelity, page);
        MachineDescription machine;
        try
        {
            machine = MachineCatalogue.Find(name, overrides);
            MachineCatalogue.RequireTimeOf(machine, fidelity);
        }
        catch (Mmu86.Lab.Configuration.ConfigurationException)
        {
            machine = MachineCatalogue.Find(name, []);
            if (fidelity == Fidelity.Cycles && machine.Caches is null)
                return null;
        }

        return options with { Machine = machine, HostPage = random.Next(3) == 0 ? PageSize.Size2M : PageSize.Size4K, MemoryBytes = 128UL << 20 };
    }
}
