using Mmu86.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Tables that no operating system would make: the MMU and the reference agree on each access, and nothing breaks.</summary>
[LongTests]
public sealed class GarbageTableTests
{
    private const int AccessesPerWorld = 150;
    private const int FirstEptFrame = 0x2000;
    private const int EptFrames = 16;

    /// <remarks>
    /// No invalidation at all between the accesses: A/D bits are the only change to the tables, and nothing else that an access
    /// finds depends on them. So whatever is cached must still be what a fresh walk would find. A PCID keeps its root.
    /// </remarks>
    [Fact]
    [Rule("P16")]
    [Rule("T05")]
    public void Access_GarbageTablesWithWarmCaches_AgreesWithTheReference()
    {
        var log = new MismatchLog();
        for (int number = 0; number < Worlds && !log.IsFull; number++)
        {
            Random random = TestSeed.Case(number);
            using var world = new GarbageWorld(random);
            var rig = NewRig(number, Machine(random), world, world.Frames);
            PagingContext[] contexts = [Native(world, 0), Native(world, 1), Native(world, 0xFFF)];
            for (int i = 0; i < AccessesPerWorld; i++)
            {
                rig.Mmu.SetContext(Controls(contexts[random.Next(contexts.Length)], random));
                Judge(rig, Access(world, random), i, log);
            }
        }

        log.AssertNone();
    }

    [Fact]
    public void Access_GarbageGuestTablesAboveGoodEpt_AgreesWithTheReference()
    {
        var log = new MismatchLog();
        for (int number = 0; number < Worlds && !log.IsFull; number++)
        {
            Random random = TestSeed.Case(number);
            using var world = new GarbageWorld(random);
            var ept = new EptBuilder(world.Memory, new FrameAllocator(new HostFrameNumber(FirstEptFrame), EptFrames));
            ulong eptp = random.Next(2) == 0 ? ept.Eptp : ept.EptpWithAccessedAndDirty;
            foreach (HostFrameNumber frame in world.Frames)
                MapSome(ept, frame, random);
            var tables = Enumerable.Range(FirstEptFrame, EptFrames).Select(frame => new HostFrameNumber((ulong)frame));
            var rig = NewRig(number, Machine(random), world, world.Frames.Concat(tables));
            PagingContext[] contexts = [Native(world, 0), Native(world, 1), Native(world, 2)];
            for (int i = 0; i < AccessesPerWorld; i++)
            {
                PagingContext context = Controls(contexts[random.Next(contexts.Length)], random);
                rig.Mmu.SetContext(context with { Eptp = eptp, Vpid = 1 });
                Judge(rig, Access(world, random), i, log);
            }
        }

        log.AssertNone();
    }

    /// <remarks>
    /// Guest tables and EPT share frames here, so an accessed flag of the one may be a memory type of the other. Each access starts
    /// with empty caches, and one whose own updates meet like that only has to end.
    /// </remarks>
    [Fact]
    public void Access_GarbageGuestTablesAndGarbageEpt_AgreesWithTheReference()
    {
        var log = new MismatchLog();
        for (int number = 0; number < Worlds && !log.IsFull; number++)
        {
            Random random = TestSeed.Case(number);
            using var world = new GarbageWorld(random);
            var rig = NewRig(number, Machine(random), world, world.Frames);
            for (int i = 0; i < AccessesPerWorld; i++)
            {
                ulong eptp = (world.Root() & ~0xFFFUL) | 0x1E | ((ulong)random.Next(2) << 6);
                rig.Reset(Controls(Native(world, 0), random) with { Eptp = eptp, Vpid = 1 });
                ReferenceAccess access = Access(world, random);
                if (rig.Expect(access).DependsOnUpdateOrder)
                {
                    rig.Mmu.TryTranslate(access.Linear, access.Kind, access.Mode, out _);
                    continue;
                }

                Judge(rig, access, i, log);
                Judge(rig, access, i, log);
            }
        }

        log.AssertNone();
    }

    [Fact]
    [Rule("E21")]
    public void Access_PagingOffAboveGarbageEpt_AgreesWithTheReference()
    {
        var log = new MismatchLog();
        for (int number = 0; number < Worlds && !log.IsFull; number++)
        {
            Random random = TestSeed.Case(number);
            using var world = new GarbageWorld(random);
            MmuRig rig = NewRig(number, Machine(random), world, world.Frames);
            // Two roots, one context each, and no invalidation: without a guest's tables only A/D bits of EPT change.
            PagingContext off = Native(world, 0) with { Cr0 = Cr0.ProtectionEnable, Efer = Efer.None };
            // Not one root with EPTP[6] both ways: what was cached without flags may go on without them (E09).
            ulong low = random.Next(2) == 0 ? 0x1EUL : 0x5E;
            PagingContext[] contexts =
            [
                off with { Eptp = (world.Root() & ~0xFFFUL) | low, Vpid = 1 },
                off with { Eptp = (world.Root() & ~0xFFFUL) | low, Vpid = 1 },
            ];
            for (int i = 0; i < AccessesPerWorld; i++)
            {
                rig.Mmu.SetContext(contexts[random.Next(contexts.Length)]);
                ReferenceAccess access = Access(world, random);
                Judge(rig, access with { Linear = new((uint)access.Linear.Value) }, i, log);
            }
        }

        log.AssertNone();
    }

    private static int Worlds => TestTiers.Pick(25, 300, 10_000);

    private static void Judge(MmuRig rig, ReferenceAccess access, int index, MismatchLog log)
    {
        if (!log.IsFull && rig.Judge(access) is { } mismatch)
            log.Add($"seed {TestSeed.Base} {rig.Name} access {index}: {access} in {rig.Mmu.Context}", mismatch.Expected, mismatch.Got);
    }

    private static MmuRig NewRig(int number, MmuConfiguration machine, GarbageWorld world, IEnumerable<HostFrameNumber> tables) =>
        new($"world {number}", machine, MmuUnderTest.Create(machine, world.Memory), world.Memory, tables);

    private static MmuConfiguration Machine(Random random)
    {
        MmuConfiguration machine = random.Next(4) switch
        {
            0 => TestMmuConfigurations.Uncached(),
            1 => TestMmuConfigurations.Ideal(),
            2 => TestMmuConfigurations.SmallSkylake(),
            // A prefetch may set accessed in entries that no access used, and garbage maps many neighbours.
            _ => TestMmuConfigurations.Random(random) with { Prefetch = null },
        };
        return machine with { PhysicalAddressBits = random.Next(36, 53), HasPage1G = random.Next(3) != 0 };
    }

    private static ReferenceAccess Access(GarbageWorld world, Random random) =>
        new(world.Linear(), (AccessKind)random.Next(3), (AccessMode)random.Next(4));

    // One root for a PCID, for good; globals are off, for they would outlive a change of the root.
    private static PagingContext Native(GarbageWorld world, ushort pcid) => new()
    {
        Cr0 = Cr0.ProtectionEnable | Cr0.Paging,
        Cr3 = (world.Root() & ~0xFFFUL & ((1UL << 36) - 1)) | pcid,
        Cr4 = Cr4.PhysicalAddressExtension | Cr4.PcidEnable,
        Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        Eptp = 0,
        Vpid = 0,
    };

    // Controls that act on cached translations too (T20).
    private static PagingContext Controls(PagingContext context, Random random) => context with
    {
        Cr0 = context.Cr0 | (random.Next(2) == 0 ? Cr0.WriteProtect : 0),
        Cr4 = context.Cr4 | (random.Next(2) == 0 ? Cr4.Smap : 0),
    };

    // The frame of each garbage table by a page of its own, now and then with fewer rights or not at all.
    private static void MapSome(EptBuilder ept, HostFrameNumber frame, Random random)
    {
        ulong rights = random.Next(16) switch { 0 => EptEntry.Read, 1 => EptEntry.Read | EptEntry.Execute, _ => EptEntry.Rights };
        if (random.Next(30) != 0)
            ept.Map(new(frame.Address.Value), frame.Address, PageSize.Size4K, rights | EptEntry.MemoryTypeWriteBack);
    }
}
