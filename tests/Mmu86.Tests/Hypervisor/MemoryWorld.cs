using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

/// <summary>Machines without virtual CPUs on one host: only their memory.</summary>
internal sealed class MemoryWorld : IDisposable
{
    private readonly List<VirtualMachine> _machines = [];

    public MemoryWorld(ulong hostBytes, IFrameScrubber scrubber)
    {
        var memory = new HostMemory(hostBytes, BackingPages.Small);
        Host = new VirtualHost(memory, new VirtualHostOptions { Scrubber = scrubber, AuditsIsolation = true });
    }

    public VirtualHost Host { get; }

    /// <summary>Who shares; null where nobody does.</summary>
    public PageSharing? Sharing { get; set; }

    public MemoryPageStore Store { get; } = new();

    public IReadOnlyList<VirtualMachine> Machines => _machines;

    /// <summary>Adds a machine.</summary>
    public VirtualMachine Add(ulong bytes, PageSize largest, NestedFormat format, IResidencyObserver? residency)
    {
        var machine = new VirtualMachine(Host, new GuestMemoryOptions
        {
            SizeInBytes = bytes,
            PageSize = largest,
            Format = format,
            TracksAccesses = true,
            Store = Store,
            Residency = residency,
        });
        _machines.Add(machine);
        return machine;
    }

    public void Remove(VirtualMachine machine)
    {
        machine.Destroy();
        machine.Dispose();
        _machines.Remove(machine);
    }

    /// <summary>Everything that must hold between two steps.</summary>
    public void Check()
    {
        HashSet<ulong> reached = [];
        ulong owned = 0;
        ulong swapped = 0;
        foreach (VirtualMachine machine in _machines)
        {
            ulong residents = 0;
            foreach (ResidentFrame frame in machine.Memory.Residents())
            {
                // Words are made only where something is wrong: this is asked of every frame after every step.
                if (!reached.Add(frame.Host.Value))
                    Assert.Fail($"{frame.Host.Address} is mapped twice");
                if (Host.Frames.OwnerOf(frame.Host) != machine.Vpid)
                    Assert.Fail($"{frame.Host.Address} of machine {machine.Vpid} is said to be {Host.Frames.OwnerOf(frame.Host)}'s");
                if (machine.Memory.StateOf(frame.Guest) != GuestFrameState.Resident)
                    Assert.Fail($"{frame.Host.Address} is mapped, and said to be {machine.Memory.StateOf(frame.Guest)}");
                residents++;
            }

            Assert.Equal(residents, machine.Memory.ResidentFrames);
            Assert.Equal(machine.Memory.BalloonedFrames, CountBallooned(machine.Memory));
            Assert.Equal(residents + machine.Memory.TableFrames + (ulong)machine.Frames.Reserved, machine.Frames.Owned);
            owned += machine.Frames.Owned;
            swapped += machine.Memory.SwappedFrames + (ulong)machine.Memory.CopiesStored;
        }

        SharingVerifier.Verify(Host, _machines, Sharing);
        Assert.Equal(owned + Host.Frames.SharedFrames, Host.Frames.FramesUsed);
        Assert.Equal(swapped, (ulong)Store.Count);
    }

    private static ulong CountBallooned(GuestMemoryManager memory)
    {
        ulong ballooned = 0;
        for (ulong frame = 0; memory.BalloonedFrames != 0 && frame < memory.SizeInBytes >> 12; frame++)
            ballooned += memory.StateOf(new GuestFrameNumber(frame)) == GuestFrameState.Ballooned ? 1UL : 0;
        return ballooned;
    }

    public void Dispose()
    {
        foreach (VirtualMachine machine in _machines)
            machine.Dispose();
        Host.Dispose();
    }
}
