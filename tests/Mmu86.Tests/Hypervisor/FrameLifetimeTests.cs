using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

/// <summary>No frame is free while a TLB, a structure cache, the filter or a decoded block can reach it: guests whose frames are taken away see nothing of it.</summary>
public sealed class FrameLifetimeTests
{
    private const ulong HostBytes = 160 << 20;

    [Theory]
    [InlineData("quicksort 3000", PageSize.Size4K, "mmu.nested.format=ept", 3000)]
    [InlineData("hash-table 2000", PageSize.Size4K, "mmu.nested.format=npt", 8000)]
    [InlineData("gups 400 4000", PageSize.Size4K, "mmu.nested.format=ept", 3000)]
    [InlineData("tree 1500", PageSize.Size2M, "mmu.nested.format=ept", 3000)]
    [InlineData("strings 2", PageSize.Size4K, "mmu.nested.format=ept", 3000)]
    [InlineData("kernel-demand-paging", PageSize.Size4K, "mmu.nested.format=ept", 3000)]
    [InlineData("kernel-two-processes", PageSize.Size4K, "mmu.nested.format=npt", 200000)]
    public void Evict_RandomFramesBetweenRuns_ChangesNothingTheGuestSees(string guest, PageSize page, string format, int longestSlice)
    {
        RunOptions options = SmallRuns.Options(guest.Split(' '), PagingMode.Nested, Fidelity.Tlb, page, format);
        RunTrace alone = SmallRuns.Run(options, null, null);
        Random random = TestSeed.Case(guest.Length);
        var store = new MemoryPageStore();
        using var host = new VirtualHost(new HostMemory(HostBytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = true });
        var output = new MemoryStream();
        ExitReport? exit = null;
        using (GuestMachine machine = GuestMachine.BuildOn(new SharedHost(host, store, null), options, new GuestOutput(output, output, output)))
        {
            GuestMemoryManager memory = machine.Virtual!.Memory;
            while (exit is null)
            {
                MachineStop stop = machine.RunOn(machine.Vcpu.Counters.Instructions + (ulong)random.Next(1, longestSlice));
                if (stop.Memory == PopulateResult.Swapped)
                    Assert.Equal(PopulateResult.Mapped, memory.BringIn(stop.Exit.GuestPhysical));
                else if (stop.Exit.Reason is not (Mmu86.Cpu.VmExitReason.InstructionLimit or Mmu86.Cpu.VmExitReason.Marker))
                    exit = machine.Answer(stop);
                if (stop.Exit.Reason != Mmu86.Cpu.VmExitReason.InstructionLimit)
                    continue;
                int most = random.Next(4) == 0 ? int.MaxValue : 5;
                memory.Evict([.. memory.Residents().Where(_ => random.Next(8) == 0).Take(most).Select(frame => frame.Guest)]);
            }

            Assert.True(memory.Counts.SwappedIn > 100);
            Assert.Equal((ulong)store.Count, memory.SwappedFrames + (ulong)memory.CopiesStored);
        }

        Assert.Equal(alone.Output, System.Text.Encoding.ASCII.GetString(output.ToArray()));
        Assert.Equal(alone.Exit, $"{exit.Kind} {exit.Status} {exit.Detail}");
        Assert.Equal((0UL, 0), (host.Frames.FramesUsed, store.Count));
    }

    [Fact]
    public void Evict_FrameWithDecodedCode_DropsTheCodeBeforeTheFrameIsFree()
    {
        RunOptions options = SmallRuns.Options("sieve 20000", PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K);
        using var host = new VirtualHost(new HostMemory(HostBytes), VirtualHostOptions.Standard);
        using GuestMachine machine = GuestMachine.BuildOn(new SharedHost(host, new MemoryPageStore(), null), options, GuestOutput.None);
        _ = machine.Run(50_000, _ => { });
        VirtualMachine guest = machine.Virtual!;
        ResidentFrame[] code = [.. guest.Memory.Residents().Where(frame => guest.View.CodeLines(frame.Host) != 0)];
        Assert.NotEmpty(code);

        guest.Memory.Evict([.. code.Select(frame => frame.Guest)]);

        Assert.All(code, frame => Assert.Equal((0UL, HostFrameAllocator.Nobody), (guest.View.CodeLines(frame.Host), host.Frames.OwnerOf(frame.Host))));
    }

    [Fact]
    public void BuildOn_TwoMachinesOfOneHost_EachSeesItsOwnMemory()
    {
        RunOptions first = SmallRuns.Options("quicksort 3000", PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K);
        RunOptions second = SmallRuns.Options("tree 1500", PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K);
        RunTrace[] alone = [SmallRuns.Run(first, null, null), SmallRuns.Run(second, null, null)];
        using var host = new VirtualHost(new HostMemory(HostBytes), VirtualHostOptions.Standard);
        MemoryStream[] outputs = [new(), new()];
        var shared = new SharedHost(host, null, null);
        using (GuestMachine left = GuestMachine.BuildOn(shared, first, new GuestOutput(outputs[0], outputs[0], outputs[0])))
        using (GuestMachine right = GuestMachine.BuildOn(shared, second, new GuestOutput(outputs[1], outputs[1], outputs[1])))
        {
            ExitReport?[] exits = [null, null];
            while (exits.Any(exit => exit is null))
            {
                exits[0] ??= left.Run(left.Vcpu.Counters.Instructions + 700, _ => { });
                exits[1] ??= right.Run(right.Vcpu.Counters.Instructions + 500, _ => { });
            }
        }

        Assert.Equal(alone.Select(run => run.Output), outputs.Select(output => System.Text.Encoding.ASCII.GetString(output.ToArray())));
        Assert.Equal(0UL, host.Frames.FramesUsed);
    }
}
