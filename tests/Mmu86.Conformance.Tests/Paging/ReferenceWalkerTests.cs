using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>The judge is judged first: by vectors made by hand from the manual.</summary>
public sealed class ReferenceWalkerTests
{
    [Fact]
    public void Walk_NativeVectors_AreAsStated()
    {
        using var world = WalkWorld.Native();
        var mismatches = new MismatchLog();
        foreach (WalkVector vector in WalkVector.Load("native.txt"))
        {
            vector.WriteGuestEntries(world);
            ReferenceWalk walk = Walk(world, vector);
            TranslationFault? stated = vector.Fault(world);
            if (walk.Fault != stated)
                mismatches.Add(vector.Line, stated is { } fault ? ReferenceWalk.Describe(fault) : "ok", walk.Outcome);
            else if (stated is null)
                CompareSuccess(world, vector, walk, mismatches);
        }

        mismatches.AssertNone();
    }

    [Fact]
    public void Walk_EptVectors_AreAsStated()
    {
        using var world = WalkWorld.Nested();
        var mismatches = new MismatchLog();
        foreach (WalkVector vector in WalkVector.Load("ept.txt"))
        {
            vector.WriteNestedEntries(world);
            ReferenceWalk walk = Walk(world, vector);
            TranslationFault? stated = vector.Fault(world);
            if (walk.Fault != stated)
                mismatches.Add(vector.Line, stated is { } fault ? ReferenceWalk.Describe(fault) : "ok", walk.Outcome);
        }

        mismatches.AssertNone();
    }

    [Theory]
    [InlineData(0x0000_7FFF_FFFF_FFFF, true)]
    [InlineData(0x0000_8000_0000_0000, false)]
    [InlineData(0xFFFF_7FFF_FFFF_FFFF, false)]
    [InlineData(0xFFFF_8000_0000_0000, true)]
    [InlineData(0x5A5A_0000_0000_0000, false)]
    public void Walk_NonCanonicalAddress_FaultsBeforeAnyReference(ulong linear, bool canonical)
    {
        var walker = new ReferenceWalker(new SparseReferenceMemory(1 << 20), Capabilities, FourLevel(0x1000));

        ReferenceWalk walk = walker.Walk(new(new(linear), AccessKind.Read, AccessMode.Supervisor));

        Assert.Equal(canonical ? TranslationFailure.PageFault : TranslationFailure.NonCanonical, walk.Fault!.Value.Failure);
        Assert.Equal(canonical ? 1 : 0, walk.References.Count);
    }

    [Fact]
    public void Walk_TableOutsideRam_ReadsAllOnesAndFaultsReserved()
    {
        var walker = new ReferenceWalker(new SparseReferenceMemory(1 << 20), Capabilities, FourLevel(0xC000_0000));

        ReferenceWalk walk = walker.Walk(new(new(0x1000), AccessKind.Read, AccessMode.Supervisor));

        Assert.Equal(PageFaultErrorCode.Present | PageFaultErrorCode.Reserved, walk.Fault!.Value.ErrorCode);
    }

    [Fact]
    public void Walk_TableThatPointsToItself_UsesOneEntryFourTimes()
    {
        // Entry 511 of the PML4 table names the table itself: the walk of the highest page reads it at every level.
        var memory = new SparseReferenceMemory(1 << 20) { [new(0x1FF8)] = 0x1000 | 3 };
        var walker = new ReferenceWalker(memory, Capabilities, FourLevel(0x1000));

        ReferenceWalk walk = walker.Walk(new(new(0xFFFF_FFFF_FFFF_F123), AccessKind.Write, AccessMode.Supervisor));

        Assert.Equal(new HostPhysicalAddress(0x1123), walk.Translation!.Value.Address);
        Assert.All(walk.References, step => Assert.Equal(new HostPhysicalAddress(0x1FF8), step.Address));
        Assert.Equal(new EntryFlags(0x60, 0x60), Assert.Single(walk.Flags).Value);
    }

    [Fact]
    public void Walk_NestedAddress_MakesTheReferencesInTheManualsOrder()
    {
        using var world = WalkWorld.Nested();
        WalkVector.Load("ept.txt").First().WriteNestedEntries(world);
        var walker = new ReferenceWalker(new HostReferenceMemory(world.Memory), Capabilities, FourLevel(world.Root) with { Eptp = world.Eptp, Vpid = 1 });

        ReferenceWalk walk = walker.Walk(new(WalkWorld.Linear, AccessKind.Read, AccessMode.Supervisor));

        // The EPT entries of a guest table's page, then the entry in it, level by level; the EPT entries of the final page last.
        var expected = new List<ReferenceStep>();
        foreach (int page in (int[])[4, 3, 2, 1, WalkWorld.FinalPage])
        {
            for (int level = 4; level >= 1; level--)
                expected.Add(Step(world, WalkDimension.Ept, level, world.EptEntryAddress(page, level)));
            if (page != WalkWorld.FinalPage)
                expected.Add(Step(world, WalkDimension.Guest, page, world.GuestEntry(page)));
        }

        Assert.Equal(24, walk.References.Count);
        Assert.Equal(expected, walk.References);
    }

    [Fact]
    public void Walk_AccessedAndDirtyFlagsForEpt_AreCalledForInEveryEntryAndDirtyInEachMapEntry()
    {
        using var world = WalkWorld.Nested();
        WalkVector.Load("ept.txt").First().WriteNestedEntries(world);
        PagingContext context = FourLevel(world.Root) with { Eptp = world.Eptp | (1 << 6), Vpid = 1 };
        var walker = new ReferenceWalker(new HostReferenceMemory(world.Memory), Capabilities, context);

        ReferenceWalk read = walker.Walk(new(WalkWorld.Linear, AccessKind.Read, AccessMode.Supervisor));
        ReferenceWalk write = walker.Walk(new(WalkWorld.Linear, AccessKind.Write, AccessMode.Supervisor));

        for (int page = 0; page < 5; page++)
        {
            for (int level = 4; level >= 1; level--)
            {
                ulong entry = world.EptEntryAddress(page, level).Value;
                bool isGuestTable = page != WalkWorld.FinalPage;
                Assert.Equal(level == 1 && isGuestTable ? 0x300UL : 0x100UL, read.Flags[entry].Must);
                Assert.Equal(level == 1 ? 0x300UL : 0x100UL, write.Flags[entry].Must);
            }
        }
    }

    [Fact]
    public void Walk_RefusedAccessedUpdateAboveAPageFault_LeavesTheOrderOpen()
    {
        using var world = WalkWorld.Nested();
        WalkVector.Load("ept.txt").First(vector => !vector.Has("used") && vector.Page == "pml4").WriteNestedEntries(world);
        world.Memory.Write(world.GuestEntry(1), 0UL);
        var walker = new ReferenceWalker(new HostReferenceMemory(world.Memory), Capabilities, FourLevel(world.Root) with { Eptp = world.Eptp, Vpid = 1 });

        ReferenceWalk walk = walker.Walk(new(WalkWorld.Linear, AccessKind.Read, AccessMode.Supervisor));

        Assert.Equal(TranslationFailure.EptViolation, walk.Fault!.Value.Failure);
        Assert.Equal(TranslationFailure.PageFault, Assert.Single(walk.OtherLegalFaults).Failure);
    }

    private static ReferenceCapabilities Capabilities => new()
    {
        PhysicalAddressBits = 46,
        HasPage1G = true,
        HasPse36 = true,
        ReservesBit8AbovePdpte = false,
        HasExecuteOnlyEpt = true,
        HasEptPage2M = true,
        HasEptPage1G = true,
        TellsViolationDetails = false,
        HasNpt = false,
    };

    private static PagingContext FourLevel(ulong cr3) => new()
    {
        Cr0 = Cr0.ProtectionEnable | Cr0.Paging,
        Cr3 = cr3,
        Cr4 = Cr4.PhysicalAddressExtension,
        Efer = Efer.LongModeEnable | Efer.LongModeActive,
        Eptp = 0,
        Vpid = 0,
    };

    private static ReferenceStep Step(WalkWorld world, WalkDimension dimension, int level, HostPhysicalAddress address) =>
        new(dimension, level, address, world.Memory.Read<ulong>(address));

    private static ReferenceWalk Walk(WalkWorld world, WalkVector vector) =>
        new ReferenceWalker(new HostReferenceMemory(world.Memory), vector.Capabilities, vector.Context(world))
            .Walk(new(WalkWorld.Linear, vector.Kind, vector.Mode));

    // The address follows from the map entry by hand, the flags from the last column.
    private static void CompareSuccess(WalkWorld world, WalkVector vector, ReferenceWalk walk, MismatchLog mismatches)
    {
        int map = PageTableBuilder.LevelOf(vector.GuestPageSize);
        ulong offset = WalkWorld.Linear.Value & vector.GuestPageSize.OffsetMask();
        ulong frame = world.Memory.Read<ulong>(world.GuestEntry(map)) & PagingEntry.AddressMask & ~vector.GuestPageSize.OffsetMask();
        if (walk.Translation!.Value.Address.Value != (frame | offset) || walk.Translation.Value.EntryPageSize != vector.GuestPageSize)
            mismatches.Add(vector.Line, $"H:0x{frame | offset:x} {vector.GuestPageSize}", walk.Outcome);

        string flags = string.Concat(
            "a",
            string.Concat(Enumerable.Range(1, 4).Reverse().Where(level => Must(level, PagingEntry.Accessed))),
            string.Concat(Enumerable.Range(1, 4).Where(level => Must(level, PagingEntry.Dirty)).Select(level => $" d{level}")));
        if (flags != vector.Flags)
            mismatches.Add(vector.Line, vector.Flags, flags);

        bool Must(int level, ulong flag) =>
            walk.Flags.TryGetValue(world.GuestEntry(level).Value, out EntryFlags entry) && (entry.Must & flag) != 0;
    }
}
