using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Where the manual leaves a choice, what this model does. Another choice would be as legal; changing one is a decision.</summary>
public sealed class ModelChoiceTests
{
    private const ulong Linear = 0x1234_5678_9000;
    private const ulong Old = 0x5_0000;
    private const ulong New = 0x6_0000;

    public static TheoryData<string> Machines => PagedMachine.Machines;

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("F08")]
    public void Access_CachedRightsDenyWhatTheTablesGrant_WalksAgainAndSucceeds(string name)
    {
        // F08 allows a spurious #PF here.
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, Old, flags: PagedMachine.Page & ~PagingEntry.Writable);
        Assert.Equal(Old, machine.Access(Linear));

        machine.Map(Linear, Old);

        Assert.Equal(Old, machine.Access(Linear, AccessKind.Write));
        Assert.Equal(1UL, machine.Mmu.Statistics.Walks.Rights);
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public void Access_CachedRightsAndTablesDeny_FaultsOnWhatTheTablesSay(string name)
    {
        // The error code comes from the new walk: the page is gone by now, so P is clear.
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, Old, flags: PagedMachine.Page & ~PagingEntry.Writable);
        Assert.Equal(Old, machine.Access(Linear));

        machine.Tables.Write(new(Linear), 1, 0);

        Assert.Null(machine.Access(Linear, AccessKind.Write));
        Assert.Equal(PageFaultErrorCode.Write, machine.Mmu.Fault.ErrorCode);
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("A06")]
    public void Access_FirstWriteThroughACleanEntry_ObeysTheTableAsItIsNow(string name)
    {
        // A06: the store might also go to the frame that was cached.
        using var machine = PagedMachine.Named(name);
        machine.Map(Linear, Old, flags: PagedMachine.Page & ~PagingEntry.Dirty);
        Assert.Equal(Old, machine.Access(Linear));

        machine.Map(Linear, New, flags: PagedMachine.Page & ~PagingEntry.Dirty);

        Assert.Equal(New, machine.Access(Linear, AccessKind.Write));
        Assert.Equal(New, machine.Access(Linear));
        Assert.Equal(New | PagedMachine.Page, machine.Tables.Read(new(Linear), 1));
        Assert.Equal(1UL, machine.Mmu.Statistics.Walks.Dirty);
    }

    [Fact]
    [Rule("F06")]
    public void Walk_FaultBelow_SetsAccessedInTheEntriesAbove()
    {
        // F06: they may be set or not.
        using var machine = PagedMachine.Named("ideal");
        machine.Map(Linear, Old);
        machine.Tables.Write(new(Linear), 1, 0);

        Assert.Null(machine.Access(Linear));

        for (int level = 2; level <= 4; level++)
            Assert.Equal(PagingEntry.Accessed, machine.Tables.Read(new(Linear), level) & PagingEntry.Accessed);
    }

    [Fact]
    [Rule("F06")]
    public void Walk_EptViolationOfTheFinalAddress_LeavesTheMapEntryAsItWas()
    {
        using var world = WalkWorld.Nested();
        using var mmu = new Mmu<Unobserved>(world.Memory, TestMmuConfigurations.Ideal(), default);
        WalkVector vector = WalkVector.Load("ept.txt").First();
        vector.WriteNestedEntries(world);
        for (int level = 4; level >= 1; level--)
            world.Memory.Write(world.GuestEntry(level), world.Memory.Read<ulong>(world.GuestEntry(level)) & ~(PagingEntry.Accessed | PagingEntry.Dirty));
        world.Memory.Write(world.EptEntryAddress(WalkWorld.FinalPage, 1), 0UL);
        mmu.SetContext(vector.Context(world));

        Assert.False(mmu.TryTranslate(WalkWorld.Linear, AccessKind.Write, AccessMode.Supervisor, out _));

        Assert.Equal(TranslationFailure.EptViolation, mmu.Fault.Failure);
        Assert.Equal(0UL, world.Memory.Read<ulong>(world.GuestEntry(1)) & (PagingEntry.Accessed | PagingEntry.Dirty));
    }

    [Fact]
    [Rule("E05")]
    public void Walk_RefusedAccessedUpdateAboveAPageFault_IsTheEventThatCounts()
    {
        // E05: which of the two comes first is not specified.
        using var world = WalkWorld.Nested();
        using var mmu = new Mmu<Unobserved>(world.Memory, TestMmuConfigurations.Ideal(), default);
        WalkVector vector = WalkVector.Load("ept.txt").First(each => !each.Has("used") && each.Page == "pml4");
        vector.WriteNestedEntries(world);
        world.Memory.Write(world.GuestEntry(1), 0UL);
        mmu.SetContext(vector.Context(world));

        Assert.False(mmu.TryTranslate(WalkWorld.Linear, AccessKind.Read, AccessMode.Supervisor, out _));

        Assert.Equal(vector.Fault(world), mmu.Fault);
    }
}
