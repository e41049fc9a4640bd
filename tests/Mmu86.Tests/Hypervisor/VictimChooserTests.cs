using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Lab;
using Mmu86.Lab.Running;
using Mmu86.Lab.Scenarios;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

/// <summary>What a policy is told of frames and of time.</summary>
public sealed class VictimChooserTests
{
    private const int Frames = 512;

    [Fact]
    public void BecameResident_FrameWasEvicted_TellsHowManyWereEvictedSince()
    {
        using var world = new MemoryWorld(4 << 20, new ZeroingScrubber());
        RecordingPolicy policy = Touched(world, 6, out GuestMemoryManager memory, out VictimChooser chooser);

        Evict(memory, chooser, 3);
        memory.BringIn(new GuestFrameNumber(0).Address);
        memory.BringIn(new GuestFrameNumber(2).Address);
        Evict(memory, chooser, 1);
        memory.BringIn(new GuestFrameNumber(1).Address);

        Assert.Equal(
            [
                "removed 0 Evicted", "removed 1 Evicted", "removed 2 Evicted", "inserted 0 SwappedIn 2", "inserted 2 SwappedIn 0", "removed 3 Evicted",
                "inserted 1 SwappedIn 2",
            ],
            policy.Log);
    }

    [Fact]
    public void TakeBack_StoreRefusedSome_InsertsThemAgainAndHearsOfThemAsBefore()
    {
        using var world = new MemoryWorld(4 << 20, new ZeroingScrubber());
        RecordingPolicy policy = Touched(world, 6, out GuestMemoryManager memory, out VictimChooser chooser);
        world.Store.Capacity = 2;

        Evict(memory, chooser, 4);
        chooser.TakeBack();
        Assert.Equal(4, policy.Count);
        world.Store.Capacity = 6;
        memory.Evict([new GuestFrameNumber(3)]);
        memory.BringIn(new GuestFrameNumber(3).Address);

        Assert.Equal(
            [
                "removed 0 Evicted", "removed 1 Evicted", "removed 2 Evicted", "removed 3 Evicted", "inserted 2 SwappedIn 0", "inserted 3 SwappedIn 0",
                "removed 3 Evicted", "inserted 3 SwappedIn 0",
            ],
            policy.Log);
    }

    [Fact]
    public void BecameResident_FrameWasDiscardedSinceItWasEvicted_IsFresh()
    {
        var policy = new RecordingPolicy(Frames);
        var chooser = new VictimChooser(policy, sampler: null);
        var frame = new GuestFrameNumber(0x12_3456);

        chooser.BecameResident(frame, 1, wasSwapped: false);
        chooser.LeftResidence(frame, Removal.Evicted);
        chooser.BecameResident(frame, 1, wasSwapped: true);
        chooser.LeftResidence(frame, Removal.Discarded);
        chooser.BecameResident(frame, 1, wasSwapped: true);

        Assert.Equal($"inserted {frame.Value} Populated {Insertion.Populated.RefaultDistance}", policy.Log[^1]);
    }

    [Fact]
    public void TestAndClearAccessed_LargePage_ClearsTheFlagOfOneFrame()
    {
        using var world = new MemoryWorld(8 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(4 << 20, PageSize.Size2M, NestedFormat.Ept, null).Memory;
        memory.Populate(default);
        Assert.True(memory.TryTranslate(default, out _));
        Accessed(world, memory);

        Assert.True(memory.TestAndClearAccessed(new GuestFrameNumber(5)));

        Assert.False(memory.TestAndClearAccessed(new GuestFrameNumber(5)));
        Assert.True(memory.WasAccessed(new GuestFrameNumber(6)));
        Assert.Equal(1UL, memory.Counts.AccessedFlagsCleared);
        Assert.Equal(1UL, memory.Counts.Splits);
    }

    [Fact]
    public void RunQuantum_MachineWaitsForSwap_PolicyAgesByWhatTheMachineWorked()
    {
        using var host = new VirtualHost(new HostMemory(3 << 20), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = true });
        var scheduler = new HostScheduler(host, new HostSchedulerOptions
        {
            QuantumNanoseconds = HostSchedulerOptions.DefaultQuantumNanoseconds,
            Threads = 1,
            Order = ReclaimOrder.Largest,
            IdleTaxPercent = 0,
        });
        RunOptions options = SmallRuns.Options("gups 800 40000", PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K);
        var policy = new RecordingPolicy((int)(options.MemoryBytes >> 12));
        var chooser = new VictimChooser(policy, sampler: null);
        var store = new TimedMemoryStore(60_000);
        scheduler.Add(new ScheduledMachineOptions
        {
            Name = "waiting",
            Create = () => new ScenarioGuest(new SharedHost(host, store, chooser), options, GuestOutput.None, _ => { }),
            StartNanoseconds = 0,
            Shares = 1000,
            LeastFrames = 0,
            MostFrames = ulong.MaxValue,
            Store = store,
            Sampler = null,
            Chooser = chooser,
        });

        while (scheduler.RunQuantum())
        {
        }

        ScheduledMachine machine = scheduler.Machines[0];
        Assert.True(policy.Ticks.Count > 2);
        Assert.Equal(policy.Ticks.Order(), policy.Ticks);
        Assert.InRange(policy.Ticks[^1], 1UL, machine.Instructions * 1_000_000_000 / (ulong)options.Machine.Clock.FrequencyHertz);
        Assert.True(policy.Ticks[^1] < machine.Time / 4, $"{policy.Ticks[^1]} of {machine.Time}");
    }

    private static RecordingPolicy Touched(MemoryWorld world, ulong pages, out GuestMemoryManager memory, out VictimChooser chooser)
    {
        var policy = new RecordingPolicy(Frames);
        chooser = new VictimChooser(policy, sampler: null);
        memory = world.Add(2 << 20, PageSize.Size4K, NestedFormat.Ept, chooser).Memory;
        for (ulong page = 0; page < pages; page++)
            memory.Write(new GuestFrameNumber(page).Address, BitConverter.GetBytes(page + 1));
        policy.Log.Clear();
        return policy;
    }

    private static void Evict(GuestMemoryManager memory, VictimChooser chooser, int count)
    {
        List<GuestFrameNumber> victims = [];
        while (victims.Count < count && chooser.TryChoose(memory, out GuestFrameNumber victim))
            victims.Add(victim);
        memory.Evict([.. victims]);
    }

    // As the processor does when it uses the page that the first entry of each table leads to.
    private static void Accessed(MemoryWorld world, GuestMemoryManager memory)
    {
        var table = new HostPhysicalAddress(memory.Root & EptEntry.AddressMask);
        for (int level = 4; level >= 2; level--)
        {
            ulong entry = world.Host.Memory.Read<ulong>(table);
            world.Host.Memory.Write(table, entry | EptEntry.Accessed);
            table = new HostPhysicalAddress(entry & EptEntry.AddressMask);
        }
    }
}
