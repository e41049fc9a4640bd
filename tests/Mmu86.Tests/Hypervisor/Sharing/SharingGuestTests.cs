using System.Text;
using Mmu86.Cpu;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Sharing;

/// <summary>Guests that share pages at every turn see nothing of it.</summary>
public sealed class SharingGuestTests
{
    private const ulong HostBytes = 160 << 20;

    [Theory]
    [InlineData("quicksort 3000", "quicksort 3000", PageSize.Size4K, "mmu.nested.format=ept", 3000)]
    [InlineData("hash-table 2000", "hash-table 2000", PageSize.Size4K, "mmu.nested.format=npt", 8000)]
    [InlineData("tree 1500", "gups 400 4000", PageSize.Size2M, "mmu.nested.format=ept", 20000)]
    [InlineData("kernel-demand-paging", "kernel-demand-paging", PageSize.Size4K, "mmu.nested.format=ept", 3000)]
    [InlineData("kernel-two-processes", "kernel-two-processes", PageSize.Size4K, "mmu.nested.format=npt", 200000)]
    public void ScanAll_BetweenRandomSlices_ChangesNothingThatGuestsSee(string first, string second, PageSize page, string format, int longestSlice)
    {
        RunOptions[] options = [.. new[] { first, second }.Select(guest => SmallRuns.Options(guest.Split(' '), PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K, format) with { HostPage = page })];
        RunTrace[] alone = [.. options.Select(each => SmallRuns.Run(each, null, null))];
        Random random = TestSeed.Case(first.Length);
        using var host = new VirtualHost(new HostMemory(HostBytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = true });
        MemoryStream[] outputs = [new(), new()];
        GuestMachine[] guests = [.. options.Select((each, i) => GuestMachine.BuildOn(new SharedHost(host, null, null), each, new GuestOutput(outputs[i], outputs[i], outputs[i])))];
        var sharing = new PageSharing(host, PageSharingOptions.At(1, 1));
        var exits = new ExitReport?[2];
        ulong broken = 0;
        while (exits.Any(exit => exit is null))
        {
            VirtualMachine[] live = [.. guests.Where((_, i) => exits[i] is null).Select(guest => guest.Virtual!)];
            sharing.ScanAll(live);
            SharingVerifier.Verify(host, live, sharing);
            for (int i = 0; i < guests.Length; i++)
            {
                if (exits[i] is not null)
                    continue;
                exits[i] = RunSlice(guests[i], (ulong)random.Next(1, longestSlice));
                if (exits[i] is null)
                    continue;
                broken += guests[i].Virtual!.Memory.Counts.SharingBroken;
                guests[i].Dispose();
            }
        }

        Assert.Equal(alone.Select(run => run.Output), outputs.Select(output => Encoding.ASCII.GetString(output.ToArray())));
        Assert.Equal(alone.Select(run => run.Exit), exits.Select(exit => $"{exit!.Kind} {exit.Status} {exit.Detail}"));
        Assert.True(sharing.Counts.Merged > 100, $"{sharing.Counts.Merged} merged");
        Assert.True(broken > 50, $"{broken} broken");
        Assert.Equal(0UL, host.Frames.FramesUsed);
    }

    private static ExitReport? RunSlice(GuestMachine guest, ulong instructions)
    {
        ulong limit = guest.Vcpu.Counters.Instructions + instructions;
        while (true)
        {
            MachineStop stop = guest.RunOn(limit);
            if (stop.Exit.Reason == VmExitReason.InstructionLimit)
                return null;
            if (stop.Memory == PopulateResult.SharedWrite)
            {
                // A write and nothing else, as the processor says it in the format's own words.
                Assert.True(stop.Exit.Reason == VmExitReason.EptViolation
                    ? (stop.Exit.Qualification & (EptViolationQualification.Write | EptViolationQualification.GuestPhysicalReadable | EptViolationQualification.GuestPhysicalWritable))
                        == (EptViolationQualification.Write | EptViolationQualification.GuestPhysicalReadable)
                    : (stop.Exit.NestedErrorCode & (NestedPageFaultErrorCode.Present | NestedPageFaultErrorCode.Write))
                        == (NestedPageFaultErrorCode.Present | NestedPageFaultErrorCode.Write));
                Assert.Equal(GuestFrameState.Shared, guest.Virtual!.Memory.StateOf(stop.Exit.GuestPhysical.Frame));
                Assert.Equal(PopulateResult.Mapped, guest.Virtual!.Memory.BringIn(stop.Exit.GuestPhysical));
            }
            else if (stop.Exit.Reason != VmExitReason.Marker && guest.Answer(stop) is { } exit)
            {
                return exit;
            }
        }
    }
}
