using Mmu86.Lab;
using Mmu86.Lab.Running;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running.Snapshots;

/// <summary>The state of a machine without its memory, taken down and put into another machine.</summary>
[LongTests]
public sealed class MachineStateTests
{
    public static TheoryData<string> Guests => [.. SmallRuns.Guests];

    [Theory]
    [MemberData(nameof(Guests))]
    public void State_MovedToAMachineWithTheSameMemory_RunsOnAsIfNothingHadBeen(string guest)
    {
        foreach (Fidelity fidelity in new[] { Fidelity.Tlb, Fidelity.Fast, Fidelity.Cycles })
        {
            RunOptions options = SmallRuns.Options(guest, PagingMode.Native, fidelity, PageSize.Size4K);
            RunTrace straight = SmallRuns.Run(options, null, null);
            Random random = TestSeed.Case(guest.Length + (int)fidelity);
            ulong[] cuts = [.. Enumerable.Range(0, 4).Select(_ => (ulong)random.Next(1, 300_000)).Order()];
            RunTrace moved = SnapshotRuns.Run(options, cuts, (old, output) => Move(old, options, output));
            RunTrace.AssertSame(straight, moved);
        }
    }

    private static GuestMachine Move(GuestMachine old, RunOptions options, GuestOutput output)
    {
        var writer = new StateWriter(old.Addresses);
        old.SaveState(writer);
        GuestMachine machine = GuestMachine.Build(options, output, null);
        HostMemory from = old.Vcpu.Bus.Memory;
        HostMemory to = machine.Vcpu.Bus.Memory;
        for (ulong at = 0; at < from.SizeInBytes; at += 4096)
        {
            // Most frames are zero in both, and what is never written costs nothing.
            var address = new HostPhysicalAddress(at);
            if (!to.Frame(address.Frame).SequenceEqual(from.Frame(address.Frame)))
                to.Write(address, from.Frame(address.Frame));
        }

        machine.LoadState(new StateReader(writer.Sections, machine.Addresses));
        old.Dispose();
        return machine;
    }
}
