using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

public sealed class GuestMemoryManagerTests
{
    private const ulong Secret = 0x5EC2_E700_0000_0001;

    public static TheoryData<NestedFormat> Formats => [NestedFormat.Ept, NestedFormat.Npt];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Evict_WrittenPage_ComesBackWithItsBytes(NestedFormat format)
    {
        using var world = new MemoryWorld(4 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(2 << 20, PageSize.Size4K, format, null).Memory;
        var address = new GuestPhysicalAddress(0x5000);
        Assert.Equal(GuestFrameState.Unpopulated, memory.StateOf(address.Frame));
        memory.Write(address, BitConverter.GetBytes(Secret));
        Assert.Equal(GuestFrameState.Resident, memory.StateOf(address.Frame));

        Assert.Equal(1, memory.Evict([address.Frame, new GuestFrameNumber(0x77)]));

        Assert.Equal(GuestFrameState.Swapped, memory.StateOf(address.Frame));
        Assert.Equal(PopulateResult.Swapped, memory.Populate(address));
        Assert.False(memory.TryTranslate(address, out _));
        world.Check();
        Assert.Equal(PopulateResult.Mapped, memory.BringIn(address));
        Assert.Equal(Secret, Read(memory, address));
        world.Check();
    }

    [Fact]
    public void Evict_StoreIsFull_LeavesThePageWhereItIs()
    {
        using var world = new MemoryWorld(4 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(2 << 20, PageSize.Size4K, NestedFormat.Ept, null).Memory;
        GuestFrameNumber[] frames = [.. Enumerable.Range(0, 4).Select(i => new GuestFrameNumber((ulong)i))];
        foreach (GuestFrameNumber frame in frames)
            memory.Write(frame.Address, BitConverter.GetBytes(frame.Value + Secret));
        world.Store.Capacity = 2;

        Assert.Equal(2, memory.Evict(frames));

        Assert.Equal([GuestFrameState.Swapped, GuestFrameState.Swapped, GuestFrameState.Resident, GuestFrameState.Resident], frames.Select(memory.StateOf));
        Assert.All(frames, frame => Assert.Equal(frame.Value + Secret, Read(memory, frame.Address)));
    }

    [Theory]
    [InlineData(PageLoad.Corrupt, PopulateResult.Corrupt)]
    [InlineData(PageLoad.Unreadable, PopulateResult.Unreadable)]
    public void BringIn_StoreFails_SaysSoAndKeepsNoFrame(PageLoad load, PopulateResult expected)
    {
        using var world = new MemoryWorld(4 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(2 << 20, PageSize.Size4K, NestedFormat.Ept, null).Memory;
        memory.Write(default, BitConverter.GetBytes(Secret));
        memory.Evict([default]);
        ulong used = world.Host.Frames.FramesUsed;
        world.Store.Answer = load;

        Assert.Equal(expected, memory.BringIn(default));

        Assert.Equal(used, world.Host.Frames.FramesUsed);
        Assert.Throws<SwappedPageLostException>(() => Read(memory, default));
        world.Check();
    }

    [Fact]
    public void Clear_WholeSwappedPage_GivesItsSlotUp()
    {
        using var world = new MemoryWorld(4 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(2 << 20, PageSize.Size4K, NestedFormat.Ept, null).Memory;
        memory.Write(default, BitConverter.GetBytes(Secret));
        memory.Evict([default]);

        memory.Clear(default, 4096);

        Assert.Equal(GuestFrameState.Unpopulated, memory.StateOf(default));
        Assert.Equal(0UL, Read(memory, default));
        world.Check();
    }

    [Fact]
    public void Destroy_AnyState_ReturnsEveryFrameAndSlot()
    {
        using var world = new MemoryWorld(16 << 20, new ZeroingScrubber());
        VirtualMachine machine = world.Add(8 << 20, PageSize.Size2M, NestedFormat.Ept, null);
        for (ulong at = 0; at < 8 << 20; at += 64 << 10)
            machine.Memory.Write(new GuestPhysicalAddress(at), BitConverter.GetBytes(Secret));
        machine.Memory.Evict([new GuestFrameNumber(1), new GuestFrameNumber(600)]);
        Assert.True(machine.Frames.TryReserve(10));
        world.Check();

        world.Remove(machine);

        Assert.Equal((0UL, 0), (world.Host.Frames.FramesUsed, world.Store.Count));
    }

    [Fact]
    public void Evict_FrameOfALargePage_SplitsItAndKeepsTheOthers()
    {
        using var world = new MemoryWorld(8 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(4 << 20, PageSize.Size2M, NestedFormat.Ept, null).Memory;
        for (ulong frame = 0; frame < 512; frame++)
            memory.Write(new GuestFrameNumber(frame).Address, BitConverter.GetBytes(frame + Secret));
        ulong tables = memory.TableFrames;

        Assert.Equal(1, memory.Evict([new GuestFrameNumber(300)]));

        Assert.Equal((1UL, tables + 1, 511UL), (memory.Counts.Splits, memory.TableFrames, memory.ResidentFrames));
        for (ulong frame = 0; frame < 512; frame++)
            Assert.Equal(frame + Secret, Read(memory, new GuestFrameNumber(frame).Address));
        world.Check();
    }

    [Fact]
    public void JoinWhole_PageCameBack_MakesTheRangeOnePageAgain()
    {
        using var world = new MemoryWorld(8 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(4 << 20, PageSize.Size2M, NestedFormat.Ept, null).Memory;
        for (ulong frame = 0; frame < 512; frame++)
            memory.Write(new GuestFrameNumber(frame).Address, BitConverter.GetBytes(frame + Secret));
        ulong tables = memory.TableFrames;
        memory.Evict([new GuestFrameNumber(300)]);
        Assert.Equal(0, memory.JoinWhole(10));
        Assert.Equal(PopulateResult.Mapped, memory.BringIn(new GuestFrameNumber(300).Address));

        Assert.Equal(1, memory.JoinWhole(10));

        Assert.Equal((1UL, tables, 512UL), (memory.Counts.Joins, memory.TableFrames, memory.ResidentFrames));
        for (ulong frame = 0; frame < 512; frame++)
            Assert.Equal(frame + Secret, Read(memory, new GuestFrameNumber(frame).Address));
        world.Check();
    }

    [Fact]
    public void JoinWhole_RangeBecomesOneRunOfFrames_CopiesNothing()
    {
        using var world = new MemoryWorld(8 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(4 << 20, PageSize.Size2M, NestedFormat.Ept, null).Memory;
        Assert.Equal(PopulateResult.Mapped, memory.Populate(default));
        Assert.True(memory.TryTranslate(default, out var before));
        Assert.True(memory.TrySplit(default));
        memory.Evict([default]);
        memory.BringIn(default); // the same frame: it is the only free one of a broken run

        Assert.Equal(1, memory.JoinWhole(1));

        Assert.True(memory.TryTranslate(default, out var after));
        Assert.Equal(before, after);
        world.Check();
    }

    [Fact]
    public void Populate_RangeThatHasATable_TakesOneSmallPageAndNoTable()
    {
        using var world = new MemoryWorld(16 << 20, new ZeroingScrubber());
        VirtualMachine machine = world.Add(8 << 20, PageSize.Size2M, NestedFormat.Ept, null);
        Assert.True(machine.Frames.TryReserve(10));
        machine.Frames.Close(); // no run of 2 MiB is to be had
        machine.Memory.Populate(default);
        ulong tables = machine.Memory.TableFrames;
        machine.Frames.Open();

        Assert.Equal(PopulateResult.Mapped, machine.Memory.Populate(new GuestPhysicalAddress(0x1000)));

        Assert.Equal((tables, 2UL), (machine.Memory.TableFrames, machine.Memory.ResidentFrames));
        world.Check();
    }

    [Fact]
    public void Populate_ScrubberForgets_IsFoundByTheAudit()
    {
        using var world = new MemoryWorld(2 << 20, new ForgetfulScrubber());
        VirtualMachine first = world.Add(1 << 20, PageSize.Size4K, NestedFormat.Ept, null);
        for (ulong frame = 0; frame < 100; frame++)
            first.Memory.Write(new GuestFrameNumber(frame).Address, BitConverter.GetBytes(Secret));
        world.Remove(first);

        FrameIsolationException found = Assert.Throws<FrameIsolationException>(() =>
        {
            VirtualMachine second = world.Add(1 << 20, PageSize.Size4K, NestedFormat.Ept, null);
            for (ulong frame = 0; frame < 100; frame++)
                second.Memory.Populate(new GuestFrameNumber(frame).Address);
        });

        Assert.Equal(1, world.Host.Frames.Audit!.LastOwner(found.Frame));
        Assert.Contains("owner 1 had it before", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Populate_ReserveIsEmptyWhileClosed_WaitsForTheBarrier()
    {
        using var world = new MemoryWorld(2 << 20, new ZeroingScrubber());
        VirtualMachine machine = world.Add(1 << 20, PageSize.Size4K, NestedFormat.Ept, null);
        machine.Memory.Populate(default);
        Assert.True(machine.Frames.TryReserve(1));
        machine.Frames.Close();

        Assert.Equal(PopulateResult.Mapped, machine.Memory.Populate(new GuestPhysicalAddress(0x1000)));
        Assert.Equal(PopulateResult.NoFrame, machine.Memory.Populate(new GuestPhysicalAddress(0x2000)));

        machine.Frames.Open();
        Assert.Equal(PopulateResult.Mapped, machine.Memory.Populate(new GuestPhysicalAddress(0x2000)));
        world.Check();
    }

    private static ulong Read(GuestMemoryManager memory, GuestPhysicalAddress address)
    {
        Span<byte> bytes = stackalloc byte[8];
        memory.Read(address, bytes);
        return BitConverter.ToUInt64(bytes);
    }
}
