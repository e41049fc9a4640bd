using Mmu86.Lab;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps.Engine;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps;

/// <summary>A machine that is asked what a recorded run asked counts what it counts when it runs the guest itself.</summary>
public sealed class ReplayTests
{
    public static TheoryData<string, PagingMode, PageSize> Runs()
    {
        TheoryData<string, PagingMode, PageSize> runs = [];
        // The kernels are the last, and the first that matter.
        foreach (string guest in SmallRuns.Guests.Reverse().Take(TestTiers.Pick(6, int.MaxValue, int.MaxValue)))
        {
            runs.Add(guest, PagingMode.Native, PageSize.Size4K);
            runs.Add(guest, PagingMode.Nested, PageSize.Size4K);
        }

        runs.Add("quicksort 3000", PagingMode.Native, PageSize.Size2M);
        runs.Add("tree 1500", PagingMode.Nested, PageSize.Size2M);
        return runs;
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void Replay_OnOtherMachines_CountsWhatADirectRunCounts(string guest, PagingMode paging, PageSize page)
    {
        string[][] machines =
        [
            [],
            ["mmu.l1Data.arrays[l1d-4k].sets=2", "mmu.l1Data.arrays[l1d-4k].replacement=lru", "mmu.l2.arrays[l2-4k-2m].sets=8"],
            ["mmu.l1Instruction.arrays[l1i-4k].sets=1", "mmu.l1Instruction.arrays[l1i-4k].ways=2", "mmu.structureCaches.pde={\"entries\":0,\"ways\":0,\"replacement\":\"lru\"}"],
            ["mmu.l2.arrays[l2-4k-2m].sets=4", "mmu.l2.arrays[l2-4k-2m].hash=linear"],
            ["mmu.l2.arrays[l2-4k-2m].ways=6", "mmu.structureCaches.pde.entries=8"],
            ["mmu.structureCaches.pde.entries=4"],
            ["mmu.l1Data.arrays[l1d-4k].coalescedPages=4", "mmu.l1Data.arrays[l1d-4k].sets=2", "mmu.l2.arrays[l2-4k-2m].coalescedPages=8", "mmu.l2.arrays[l2-4k-2m].sets=4"],
            ["mmu.structureCaches.pdpte.entries=8", "mmu.structureCaches.eptPde={\"entries\":0,\"ways\":0,\"replacement\":\"lru\"}"],
            ["mmu.structureCaches.nestedTlb={\"entries\":0,\"ways\":0,\"replacement\":\"lru\"}", "mmu.l2.arrays[l2-4k-2m].replacement=random"],
        ];
        Compare(guest, paging, page, machines, RecordedRuns.ByKind);
    }

    // Identity-mapped guests: their frames are as aligned as their pages. The second levels are so small that pages are walked for while their
    // neighbours are in use.
    [Theory]
    [InlineData("pointer-chase@bare 100 6000", PagingMode.Native)]
    [InlineData("pointer-chase@bare 100 6000", PagingMode.Nested)]
    [InlineData("tree@bare 1500", PagingMode.Native)]
    [InlineData("tree@bare 1500", PagingMode.Nested)]
    [InlineData("gups@bare 100 6000", PagingMode.Native)]
    public void Replay_OnMachinesThatCoalesce_CountsWhatADirectRunCounts(string guest, PagingMode paging)
    {
        const string SmallFirst = "mmu.l1Data.arrays[l1d-4k].sets=1";
        const string SmallSecond = "mmu.l2.arrays[l2-4k-2m].sets=1";
        const string Fours = "mmu.l1Data.arrays[l1d-4k].coalescedPages=4";
        string[][] machines =
        [
            [SmallFirst, SmallSecond],
            [SmallFirst, SmallSecond, "mmu.l2.arrays[l2-4k-2m].coalescedPages=8"],
            // One first level above several second ones: what comes up into it is not the same.
            [SmallFirst, SmallSecond, Fours],
            [SmallFirst, SmallSecond, Fours, "mmu.l2.arrays[l2-4k-2m].coalescedPages=8"],
            [SmallFirst, SmallSecond, Fours, "mmu.l2.arrays[l2-4k-2m].coalescedPages=4", "mmu.l2.arrays[l2-4k-2m].ways=6"],
            // Both levels in common.
            [SmallFirst, SmallSecond, Fours, "mmu.l2.arrays[l2-4k-2m].coalescedPages=8", "mmu.structureCaches.pde.entries=4"],
        ];
        MmuStatistics[] counted = Compare(guest, paging, PageSize.Size4K, machines, RecordedRuns.ByKind);
        Assert.All(counted[1..], machine => Assert.True(machine.Walks.Miss < counted[0].Walks.Miss * 9 / 10, $"{machine.Walks.Miss} of {counted[0].Walks.Miss} walks"));
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void StrictReplay_OnMachinesWithoutFirstLevels_CountsWhatADirectRunCounts(string guest, PagingMode paging, PageSize page)
    {
        string[][] machines =
        [
            [],
            ["mmu.l1Data.arrays=[]", "mmu.l1Instruction.arrays=[]", "mmu.l2.arrays=[]"],
            ["mmu.l1Data.arrays=[]"],
            ["mmu.l1Instruction.arrays=[]", "mmu.l2.arrays[l2-4k-2m].sets=2"],
        ];
        Compare(guest, paging, page, machines, RecordedRuns.Strict);
    }

    // What the machines counted in direct runs.
    private static MmuStatistics[] Compare(string guest, PagingMode paging, PageSize page, string[][] machines, RecordedRuns runs)
    {
        RunOptions options = SmallRuns.Options(guest, paging, Fidelity.Tlb, page);
        RunOptions[] others = [.. machines.Select(overrides => SmallRuns.Options(guest, paging, Fidelity.Tlb, page, overrides))];
        using var mmus = new ReplayedMmus(
            GuestMachine.HostBytesOf(options), SharedSimulation.Plan([.. others.Select(other => other.Machine)], options.Seed, runs));
        var writer = new TranslationStreamWriter(new DirectSink(mmus));
        using (GuestMachine machine = GuestMachine.BuildRecorded(options, Silent(), new RunRecording(writer, runs)))
            RunToEnd(machine);
        writer.Flush();

        var counted = new MmuStatistics[machines.Length];
        for (int i = 0; i < machines.Length; i++)
        {
            using GuestMachine direct = GuestMachine.Build(others[i], Silent(), observer: null);
            RunToEnd(direct);
            counted[i] = direct.Vcpu.Statistics;
            Assert.Equal($"machine {i}\n{Figures(counted[i], runs)}", $"machine {i}\n{Figures(mmus.Statistics(i), runs)}");
        }

        return counted;
    }

    private static GuestOutput Silent() => new(Stream.Null, Stream.Null, Stream.Null);

    private static void RunToEnd(GuestMachine machine)
    {
        while (machine.Run(ulong.MaxValue, _ => { }) is null)
        {
        }
    }

    // Hits of the first level are known only where each lookup was written down.
    private static string Figures(MmuStatistics statistics, RecordedRuns runs)
    {
        var parts = new List<string>();
        foreach (TlbStatistics level in new[] { statistics.L1Instruction, statistics.L1Data, statistics.L2 })
        {
            bool hits = level.Name == "l2" || runs == RecordedRuns.Strict;
            parts.Add($"{level.Name}: {(hits ? $"hits {level.Hits} " : "")}misses {level.Misses} fills {level.Fills} evictions {level.Evictions} invalidations {level.Invalidations} unresolved {level.Unresolved}");
        }

        WalkStatistics walks = statistics.Walks;
        parts.Add($"walks: {walks.Miss} {walks.Dirty} {walks.Rights} references {walks.GuestReferences} {walks.EptReferences} faulted {walks.Faulted} {walks.FaultedReferences}");
        parts.AddRange(walks.StructureCaches.Select(cache => $"{cache.Name} {cache.Hits} {cache.Misses}"));
        return string.Join('\n', parts);
    }

    private sealed class DirectSink(ReplayedMmus mmus) : IStreamSink
    {
        public StreamChunk Exchange(StreamChunk full)
        {
            mmus.Apply(full);
            full.Count = 0;
            return full;
        }
    }
}
