using System.Diagnostics;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Sharing;

public sealed class PageSharingTests
{
    private const ulong Pages = 40;

    public static TheoryData<NestedFormat> Formats => [NestedFormat.Ept, NestedFormat.Npt];

    [Theory]
    [MemberData(nameof(Formats))]
    public void ScanAll_Clones_ShareEveryPage(NestedFormat format)
    {
        using SharingWorld world = new(4);
        GuestMemoryManager[] clones = [.. Enumerable.Range(0, 3).Select(_ => world.Add(format, i => i + 1).Memory)];

        world.Share();

        Assert.Equal((Pages, 3 * Pages, 2 * Pages), (world.Frames.SharedFrames, world.Frames.SharedEntries, world.Frames.FramesSaved));
        foreach (GuestMemoryManager clone in clones)
        {
            Assert.Equal((0UL, Pages), (clone.ResidentFrames, clone.SharedFrames));
            for (ulong i = 0; i < Pages; i++)
            {
                Assert.Equal(GuestFrameState.Shared, clone.StateOf(new GuestFrameNumber(i)));
                Assert.Equal(i + 1, SharingWorld.Read(clone, i));
            }
        }

        Assert.Equal(GuestFrameState.Shared, clones[0].StateOf(default)); // reading breaks nothing
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Write_SharedPage_IsSeenByTheWriterAlone(NestedFormat format)
    {
        using SharingWorld world = new(4);
        GuestMemoryManager left = world.Add(format, i => i + 1).Memory;
        GuestMemoryManager right = world.Add(format, i => i + 1).Memory;
        world.Share();
        Assert.True(left.TryTranslate(default, out HostPhysicalAddress shared));

        SharingWorld.Write(left, 0, 77);

        Assert.Equal((77UL, 1UL), (SharingWorld.Read(left, 0), SharingWorld.Read(right, 0)));
        Assert.Equal((GuestFrameState.Resident, GuestFrameState.Shared), (left.StateOf(default), right.StateOf(default)));
        Assert.Equal((1UL, 1UL), (left.Counts.SharingBroken, left.Counts.SharedCopied));
        world.Memory.Check();

        // The other one has nobody to share with any more: the frame is its own again, as it is.
        SharingWorld.Write(right, 0, 88);

        Assert.Equal((77UL, 88UL), (SharingWorld.Read(left, 0), SharingWorld.Read(right, 0)));
        Assert.Equal((1UL, 0UL), (right.Counts.SharingBroken, right.Counts.SharedCopied));
        Assert.True(right.TryTranslate(default, out HostPhysicalAddress kept));
        Assert.Equal(shared, kept);
        world.Memory.Check();
    }

    [Fact]
    public void Populate_SharedPage_SaysThatAWriteWasRefusedAndChangesNothing()
    {
        using SharingWorld world = new(4);
        GuestMemoryManager left = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        _ = world.Add(NestedFormat.Ept, i => i + 1);
        world.Share();

        Assert.Equal(PopulateResult.SharedWrite, left.Populate(new GuestPhysicalAddress(0x3008)));

        Assert.Equal(GuestFrameState.Shared, left.StateOf(new GuestFrameNumber(3)));
        Assert.Equal(PopulateResult.Mapped, left.BringIn(new GuestPhysicalAddress(0x3008)));
        Assert.Equal(GuestFrameState.Resident, left.StateOf(new GuestFrameNumber(3)));
    }

    [Fact]
    public void Clear_SharedPage_ClearsTheCopyAlone()
    {
        using SharingWorld world = new(4);
        GuestMemoryManager left = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        GuestMemoryManager right = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        world.Share();

        left.Clear(new GuestFrameNumber(5).Address, 4096);

        Assert.Equal((0UL, 6UL), (SharingWorld.Read(left, 5), SharingWorld.Read(right, 5)));
        world.Memory.Check();
    }

    [Fact]
    public void ScanAll_PagesOfOneMachine_ShareWithEachOther()
    {
        using SharingWorld world = new(4);
        GuestMemoryManager memory = world.Add(NestedFormat.Ept, _ => 9).Memory;

        world.Share();

        Assert.Equal((1UL, Pages, 0UL), (world.Frames.SharedFrames, memory.SharedFrames, memory.ResidentFrames));
    }

    [Fact]
    public void ScanAll_HashesCollide_UnequalPagesStayApart()
    {
        using SharingWorld world = new(4, new CollidingContent());
        GuestMemoryManager left = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        GuestMemoryManager right = world.Add(NestedFormat.Ept, i => 1000 - i).Memory;

        world.Share();

        Assert.True(world.Sharing.Counts.Unequal > Pages);
        Assert.Equal(0UL, world.Frames.SharedFrames);
        for (ulong i = 0; i < Pages; i++)
            Assert.Equal((i + 1, 1000 - i), (SharingWorld.Read(left, i), SharingWorld.Read(right, i)));
    }

    [Fact]
    public void ScanAll_CompareIsSkipped_IsFoundByTheAudit()
    {
        using SharingWorld world = new(4, new CarelessContent());
        _ = world.Add(NestedFormat.Ept, i => i + 1);
        VirtualMachine other = world.Add(NestedFormat.Ept, i => i + 1);

        // The same in the part that is hashed.
        other.Memory.Write(new GuestPhysicalAddress(0x2800), BitConverter.GetBytes(5UL));

        FrameIsolationException found = Assert.Throws<FrameIsolationException>(world.Share);
        Assert.Contains("and their bytes are not the same", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Verify_SharedFrameWasWritten_IsFoundByTheAudit()
    {
        using SharingWorld world = new(4);
        GuestMemoryManager memory = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        _ = world.Add(NestedFormat.Ept, i => i + 1);
        world.Share();
        Assert.True(memory.TryTranslate(new GuestPhysicalAddress(0x1230), out HostPhysicalAddress behind));

        world.Memory.Host.Memory.Write(behind, 1UL);

        Assert.Throws<FrameIsolationException>(() => SharingVerifier.Verify(world.Memory.Host, world.Memory.Machines, null));
        Assert.Throws<FrameIsolationException>(() => SharingWorld.Write(memory, 1, 5));
    }

    [Theory]
    [InlineData(0UL, "may write to shared frame")]
    [InlineData(1UL << 52, "the host counts")]
    public void Verify_EntryIsNotWhatSharingLeft_IsFound(ulong mark, string message)
    {
        using SharingWorld world = new(4);
        GuestMemoryManager memory = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        _ = world.Add(NestedFormat.Ept, i => i + 1);
        world.Share();
        HostPhysicalAddress at = world.EntryOf(memory, 4);
        ulong entry = world.Memory.Host.Memory.Read<ulong>(at);

        // Writable and still said to be shared; or still read-only and said to be the machine's own.
        world.Memory.Host.Memory.Write(at, mark == 0 ? entry | EptEntry.Write : entry & ~mark);

        UnreachableException wrong = Assert.Throws<UnreachableException>(() => SharingVerifier.Verify(world.Memory.Host, world.Memory.Machines, world.Sharing));
        Assert.Contains(mark == 0 ? message : "counts", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ScanAll_MoreSharersThanSixteenBitsCount_ShareOneFrame()
    {
        const ulong Zeros = 66_000;
        using SharingWorld world = new(16);
        VirtualMachine machine = world.Memory.Add(Zeros << 12, PageSize.Size4K, NestedFormat.Ept, null);
        for (ulong frame = 0; frame < Zeros; frame++)
        {
            if (frame % 2000 == 0)
                world.Sharing.ScanAll(world.Memory.Machines);
            Assert.Equal(PopulateResult.Mapped, machine.Memory.Populate(new GuestFrameNumber(frame).Address));
        }

        world.Share();

        Assert.Equal((1UL, Zeros, Zeros - 1), (world.Frames.SharedFrames, machine.Memory.SharedFrames, world.Frames.FramesSaved));
        for (ulong frame = 0; frame < 600; frame++)
            SharingWorld.Write(machine.Memory, frame, frame + 1);
        Assert.Equal(Zeros - 600, machine.Memory.SharedFrames);
        Assert.Equal(0UL, SharingWorld.Read(machine.Memory, 700));
        world.Memory.Check();
        world.Memory.Remove(machine);
        Assert.Equal((0UL, 0UL), (world.Frames.FramesUsed, world.Frames.SharedEntries));
    }

    [Theory]
    [InlineData(0, 1, 2)]
    [InlineData(0, 2, 1)]
    [InlineData(1, 0, 2)]
    [InlineData(1, 2, 0)]
    [InlineData(2, 0, 1)]
    [InlineData(2, 1, 0)]
    public void Destroy_Sharers_InAnyOrderTheLastFreesTheFrames(int first, int second, int third)
    {
        using SharingWorld world = new(4);
        VirtualMachine[] machines = [.. Enumerable.Range(0, 3).Select(_ => world.Add(NestedFormat.Ept, i => i + 1))];
        world.Share();

        world.Memory.Remove(machines[first]);
        world.Memory.Check();
        Assert.Equal(Pages, world.Frames.FramesSaved);
        world.Memory.Remove(machines[second]);
        world.Memory.Check();
        Assert.Equal((0UL, Pages), (world.Frames.FramesSaved, world.Frames.SharedFrames));
        Assert.Equal(7UL, SharingWorld.Read(machines[third].Memory, 6));
        world.Memory.Remove(machines[third]);

        Assert.Equal(0UL, world.Frames.FramesUsed);
    }

    [Fact]
    public void ScanAll_NobodyElseSharesAnyMore_GivesTheLastItsFramesBack()
    {
        using SharingWorld world = new(4);
        VirtualMachine gone = world.Add(NestedFormat.Ept, i => i + 1);
        GuestMemoryManager memory = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        world.Share();
        Assert.True(memory.TryTranslate(default, out HostPhysicalAddress shared));
        world.Memory.Remove(gone);

        world.Share();

        Assert.Equal((0UL, Pages, 0UL), (memory.SharedFrames, memory.ResidentFrames, memory.Counts.SharingBroken));
        Assert.True(memory.TryTranslate(default, out HostPhysicalAddress kept));
        Assert.Equal(shared, kept);
    }

    [Fact]
    public void Forget_SharedPages_AreLeftToTheOthers()
    {
        using SharingWorld world = new(4);
        GuestMemoryManager left = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        GuestMemoryManager right = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        world.Share();

        left.Forget();

        world.Memory.Check();
        Assert.Equal((0UL, Pages, Pages), (left.SharedFrames, right.SharedFrames, world.Frames.SharedEntries));
        Assert.Equal(8UL, SharingWorld.Read(right, 7));
    }

    [Fact]
    public void LoadTables_SavedWhileShared_AreTheMachinesOwn()
    {
        using SharingWorld world = new(4);
        GuestMemoryManager left = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        _ = world.Add(NestedFormat.Ept, i => i + 1);
        world.Share();
        var file = new MemoryStream();
        var writer = new SnapshotWriter(file);
        var state = new StateWriter(ForgottenHostAddresses.All);
        left.SaveTables(state);
        left.SavePages(new PageSectionWriter(writer));
        writer.Complete();
        file.Position = 0;
        GuestMemoryManager again = world.Memory.Add(1 << 20, PageSize.Size4K, NestedFormat.Ept, null).Memory;

        again.LoadTables(new StateReader(state.Sections, ForgottenHostAddresses.All), FramePlacement.Other);
        for (var reader = new SnapshotReader(file); reader.TryRead(out StateSection section);)
            PageSection.Load(section, again.TryLoadPage);
        again.CompletePages();

        Assert.Equal((Pages, 0UL), (again.ResidentFrames, again.SharedFrames));
        for (ulong i = 0; i < Pages; i++)
            Assert.Equal(i + 1, SharingWorld.Read(again, i));
        world.Memory.Check();
    }

    [Fact]
    public void ScanAll_AfterSharersWereDestroyed_FindsNothingOfThem()
    {
        using SharingWorld world = new(4);
        VirtualMachine gone = world.Add(NestedFormat.Ept, i => i + 1);
        world.Share();
        world.Memory.Remove(gone);
        GuestMemoryManager memory = world.Add(NestedFormat.Ept, i => i + 1).Memory;

        world.Share();

        Assert.Equal((0UL, Pages), (world.Frames.SharedFrames, memory.ResidentFrames));
    }

    [Fact]
    public void ScanAll_PartOfALargePage_SplitsItAndNothingIsJoinedWhileShared()
    {
        using SharingWorld world = new(16);
        GuestMemoryManager large = world.Memory.Add(2 << 20, PageSize.Size2M, NestedFormat.Ept, null).Memory;
        for (ulong i = 0; i < 512; i++)
            SharingWorld.Write(large, i, i + 1);
        GuestMemoryManager small = world.Add(NestedFormat.Ept, i => i + 301).Memory;

        world.Share();

        Assert.Equal((1UL, Pages, 512 - Pages), (large.Counts.Splits, large.SharedFrames, large.ResidentFrames));
        Assert.Equal(0, large.JoinWhole(8));
        for (ulong i = 0; i < Pages; i++)
            SharingWorld.Write(small, i, i);
        for (ulong i = 0; i < 512; i++)
            SharingWorld.Write(large, i, i + 1);
        Assert.Equal((0UL, 512UL), (large.SharedFrames, large.ResidentFrames));
        Assert.Equal(1, large.JoinWhole(8));
        Assert.Equal(301UL, SharingWorld.Read(large, 300));
        world.Memory.Check();
    }

    [Fact]
    public void Evict_SharedPage_PassesItOver()
    {
        using SharingWorld world = new(4);
        GuestMemoryManager left = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        _ = world.Add(NestedFormat.Ept, i => i + 1);
        world.Share();
        SharingWorld.Write(left, 3, 50);

        Assert.Equal(1, left.Evict([new GuestFrameNumber(2), new GuestFrameNumber(3)]));

        Assert.Equal((GuestFrameState.Shared, GuestFrameState.Swapped), (left.StateOf(new GuestFrameNumber(2)), left.StateOf(new GuestFrameNumber(3))));
        Assert.Empty(left.Residents());
        Assert.False(left.TryFindResident(default, out _));
    }

    [Fact]
    public void BringIn_NoFrameForACopy_LeavesThePageShared()
    {
        using SharingWorld world = new(1);
        GuestMemoryManager left = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        VirtualMachine right = world.Add(NestedFormat.Ept, i => i + 1);
        world.Share();
        Assert.True(right.Frames.TryReserve((int)world.Frames.FramesFree));

        Assert.Equal(PopulateResult.NoFrame, left.BringIn(default));

        Assert.Equal(GuestFrameState.Shared, left.StateOf(default));
        Assert.Equal(1UL, SharingWorld.Read(left, 0));
        world.Memory.Check();
    }

    [Fact]
    public void Scan_OneSecond_LooksAtAsManyPagesAsItsRateSaysAndAQuarterOfOneMachine()
    {
        using SharingWorld world = new(16);
        for (ulong i = 0; i < 2; i++)
            _ = world.Add(NestedFormat.Ept, page => page + (i * 1000));
        var sharing = new PageSharing(world.Memory.Host, PageSharingOptions.At(100, 1));

        // In parts that are no whole number of pages: nothing is lost between them.
        for (int i = 0; i < 1000; i++)
            sharing.Scan(world.Memory.Machines, 1_000_000);

        Assert.Equal(50UL, sharing.Counts.Scanned);
        for (int i = 0; i < 6; i++)
            _ = world.Add(NestedFormat.Ept, page => page);
        sharing.Scan(world.Memory.Machines, 1_000_000_000);
        Assert.InRange(sharing.Counts.Scanned, 50 + 96UL, 50 + 100UL);
    }

    [Fact]
    public void ScanAll_EveryResidentPage_IsLookedAtOnce()
    {
        using SharingWorld world = new(64);
        VirtualMachine machine = world.Memory.Add(37 << 20, PageSize.Size4K, NestedFormat.Ept, null);
        for (ulong frame = 0; frame < 37 << 8; frame += 3)
            SharingWorld.Write(machine.Memory, frame, frame + 1);

        world.Share();

        Assert.Equal(machine.Memory.ResidentFrames, world.Sharing.Counts.Scanned);
        Assert.Equal(0UL, world.Sharing.Counts.Merged);
    }

    [Fact]
    public void WasAccessed_PageBecomesSharedAndIsCopied_StaysWhatItWas()
    {
        using SharingWorld world = new(4);
        GuestMemoryManager memory = world.Add(NestedFormat.Ept, i => i + 1).Memory;
        _ = world.Add(NestedFormat.Ept, i => i + 1);
        HostPhysicalAddress at = world.EntryOf(memory, 4);
        world.Memory.Host.Memory.Write(at, world.Memory.Host.Memory.Read<ulong>(at) | EptEntry.Accessed | EptEntry.Dirty);

        world.Share();
        Assert.True(memory.WasAccessed(new GuestFrameNumber(4)));
        SharingWorld.Write(memory, 4, 5);
        SharingWorld.Write(memory, 5, 5);

        const ulong Flags = EptEntry.Accessed | EptEntry.Dirty | EptEntry.Write;
        Assert.Equal(Flags, world.Memory.Host.Memory.Read<ulong>(at) & Flags);
        Assert.Equal(EptEntry.Write, world.Memory.Host.Memory.Read<ulong>(world.EntryOf(memory, 5)) & Flags);
    }
}
