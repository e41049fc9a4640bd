using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>
/// The proof that the filter is exact: an MMU whose hits the filter answers, and one that looks up every access, are driven by the
/// same random stream and must agree in every translation, every fault, every miss's position and every counter.
/// </summary>
[LongTests]
public sealed class FilterExactnessTests
{
    public static TheoryData<string, bool, PageSize, PageMix> Cases()
    {
        var cases = new TheoryData<string, bool, PageSize, PageMix>();
        foreach (string machine in FuzzMachines.Names)
        {
            cases.Add(machine, false, PageSize.Size4K, PageMix.MostlySmall);
            cases.Add(machine, true, PageSize.Size4K, PageMix.MostlySmall);
            cases.Add(machine, false, PageSize.Size4K, PageMix.MostlyLarge);
            cases.Add(machine, true, PageSize.Size2M, PageMix.MostlyLarge);
        }

        foreach (string machine in FuzzMachines.Coalescing)
        {
            cases.Add(machine, false, PageSize.Size4K, PageMix.Runs);
            cases.Add(machine, true, PageSize.Size4K, PageMix.Runs);
            cases.Add(machine, true, PageSize.Size2M, PageMix.Runs);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Run_RandomStream_AgreesWithEveryAccessLookedUp(string machine, bool nested, PageSize eptPage, PageMix mix)
    {
        int rounds = TestTiers.Pick(standard: 1, ci: 8, soak: 100);
        for (int round = 0; round < rounds; round++)
            Run(FuzzMachines.Get(machine), nested, eptPage, mix, seed: 1000 + round, accesses: 12_000);
    }

    private static void Run(MmuConfiguration machine, bool nested, PageSize eptPage, PageMix mix, int seed, int accesses)
    {
        using var filteredWorld = new FuzzWorld(nested, eptPage, mix, seed);
        using var plainWorld = new FuzzWorld(nested, eptPage, mix, seed);
        var filtered = new FilteredCpu(filteredWorld.World, filteredWorld.World.Mmu(machine with { LookUpEveryAccess = false }));
        var plain = new FilteredCpu(plainWorld.World, plainWorld.World.Mmu(machine with { LookUpEveryAccess = true }));
        var random = new Random(seed);
        int focus = 0;
        ulong linear = 0;
        HostFrameNumber lastFrame = default;
        PagingContext context = filteredWorld.Contexts[0];
        for (int n = 0; n < accesses; n++)
        {
            if (random.Next(30) == 0)
            {
                var disturbance = new Disturbance(context, random.Next(int.MaxValue), focus, lastFrame);
                PagingContext next = Disturb(filteredWorld, filtered, disturbance);
                Assert.Equal(next, Disturb(plainWorld, plain, disturbance));
                context = next;
            }

            filtered.Attribute();
            // The same address again, in another way, is what finds a slot that should have died.
            if (random.Next(3) != 0)
                linear = filteredWorld.Pick(random, ref focus);
            AccessKind kind = (AccessKind)random.Next(3);
            AccessMode mode = kind == AccessKind.Fetch ? (AccessMode)random.Next(2) : (AccessMode)random.Next(4);
            int repeats = random.Next(4);
            for (int repeat = 0; repeat <= repeats; repeat++)
            {
                Outcome expected = plain.Access(linear, kind, mode);
                Outcome actual = filtered.Access(linear, kind, mode);
                // Words are made only where something is wrong: there are millions of accesses.
                if (expected != actual)
                    Assert.Fail($"seed {seed}, access {n}: {expected} became {actual}");
                if (plain.Mmu.Misses != filtered.Mmu.Misses)
                    Assert.Fail($"seed {seed}, access {n}: a miss is out of place");
                if (expected.Succeeded)
                    lastFrame = new HostFrameNumber(expected.Host >> 12);
                if (expected.Fault.Failure == TranslationFailure.PageFault)
                {
                    filtered.Mmu.InvalidateAfterPageFault(new LinearAddress(linear));
                    plain.Mmu.InvalidateAfterPageFault(new LinearAddress(linear));
                    if (n % 3 == 0)
                    {
                        filteredWorld.Repair(linear, context);
                        plainWorld.Repair(linear, context);
                    }
                }
                else if (expected.Fault.Failure == TranslationFailure.EptViolation && eptPage == PageSize.Size4K)
                {
                    filteredWorld.RepairEpt(expected.Fault.GuestPhysical.Value);
                    plainWorld.RepairEpt(expected.Fault.GuestPhysical.Value);
                }
            }

            if (n % 256 == 0)
                Assert.Equal(StatisticsText.Of(plain.Snapshot()), StatisticsText.Of(filtered.Snapshot()));
        }

        Assert.Equal(StatisticsText.Of(plain.Snapshot()), StatisticsText.Of(filtered.Snapshot()));
        Assert.Equal(0ul, plain.Silent);
        if (filtered.Mmu.FetchesAreSilent)
            Assert.True(filtered.Silent > (ulong)accesses / 10, $"the filter answered only {filtered.Silent} lookups");
        MmuStatistics counted = plain.Snapshot();
        StatisticsRules.Hold(counted);
        // Where an array holds groups alone, its hits are known to be of such.
        if (mix == PageMix.Runs && machine.L1Data.Arrays.FirstOrDefault(array => array.PageSizes.Count == 0) is { } groups)
            Assert.True(counted.Structures.Single(array => array.Name == groups.Name).Hits > (ulong)accesses / 40, $"groups answered only {counted.Structures.Single(array => array.Name == groups.Name).Hits} times, filled {counted.Structures.Single(array => array.Name == groups.Name).Fills}");
        TranslationWork work = filtered.Mmu.Work;
        Assert.Equal((counted.L2.Hits, counted.Walks.Count - counted.Walks.Prefetch + counted.Walks.Faulted), (work.SecondLevelHits, work.Walks));
        Assert.Equal(counted.Walks.References - counted.Walks.PrefetchReferences + counted.Walks.FaultedReferences, work.References);
    }

    // Everything that is not an access. The action's number decides all of it, so that both worlds do the same.
    private static PagingContext Disturb(FuzzWorld fuzz, FilteredCpu cpu, Disturbance disturbance)
    {
        PagingContext context = disturbance.Context;
        var random = new Random(disturbance.Action);
        Mmu<Unobserved> mmu = cpu.Mmu;
        World world = fuzz.World;
        PagingContext current = context.IsPaging ? context : fuzz.Contexts[0];
        switch (random.Next(20))
        {
            case 0:
            case 1:
            case 2:
                ulong changed = fuzz.ChangeTables(random, current, disturbance.Focus);
                if (random.Next(3) != 0)
                    mmu.InvalidatePage(new LinearAddress(changed + 0x10));
                break;
            case 3:
            case 4:
                ulong resized = fuzz.ChangeSize(random, current);
                if (random.Next(3) != 0)
                    mmu.InvalidatePage(new LinearAddress(resized + 0x12345));
                break;
            case 5:
                int unused = disturbance.Focus;
                mmu.InvalidatePage(new LinearAddress(fuzz.Pick(random, ref unused)));
                break;
            case 6:
                int none = 0;
                mmu.InvalidatePage(new LinearAddress(fuzz.Pick(random, ref none)), (ushort)(random.Next(2) * 5));
                break;
            case 7:
                mmu.InvalidatePcid(context.Pcid);
                break;
            case 8:
                mmu.InvalidateAllNonGlobal();
                break;
            case 9:
                mmu.InvalidateAll();
                break;
            case 10:
                mmu.InvalidateVpid(context.Vpid);
                break;
            case 11:
                mmu.InvalidateEptContext(context.Eptp);
                break;
            case 12:
                mmu.InvalidateEptAll();
                break;
            case 13:
                HostFrameNumber frame = disturbance.LastFrame;
                if (!world.Memory.IsRam(frame.Address))
                    break;
                mmu.RevokeWrites(frame);
                world.Memory.AddCodeLines(frame, 1);
                break;
            case 14:
                world.Memory.ClearCodeLines(fuzz.Frame(random));
                break;
            case 15:
                if (world.IsNested && world.HostOffset != 0 && context.IsPaging)
                    ChangeEpt(fuzz, random);
                break;
            case 16:
                // MOV CR3 without the keep hint.
                mmu.InvalidatePcid(context.Pcid);
                mmu.SetContext(context);
                break;
            default:
                PagingContext next = fuzz.Contexts[random.Next(fuzz.Contexts.Length)];
                mmu.SetContext(next);
                return next;
        }

        return context;
    }

    private static void ChangeEpt(FuzzWorld fuzz, Random random)
    {
        if ((fuzz.World.Read(fuzz.World.EptEntryAt(0x80_0000, 2)) & EptEntry.PageSizeBit) == 0)
            fuzz.ChangeEpt(random);
    }

    private readonly record struct Disturbance(PagingContext Context, int Action, int Focus, HostFrameNumber LastFrame);
}
