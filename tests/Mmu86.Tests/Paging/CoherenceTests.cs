using Mmu86.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Paging;

/// <summary>
/// A guest and a host that invalidate as the manual asks cannot tell which hardware they run on: every machine gives the answers of
/// the machine without any cache.
/// </summary>
[LongTests]
public sealed class CoherenceTests
{
    public static TheoryData<string, bool, PageMix> Cases()
    {
        var cases = new TheoryData<string, bool, PageMix>();
        foreach (string machine in FuzzMachines.Names.Where(name => name != "uncached"))
        {
            cases.Add(machine, false, PageMix.MostlySmall);
            cases.Add(machine, false, PageMix.MostlyLarge);
            cases.Add(machine, true, PageMix.MostlySmall);
            cases.Add(machine, true, PageMix.MostlyLarge);
        }

        foreach (string machine in FuzzMachines.Coalescing)
        {
            cases.Add(machine, false, PageMix.Runs);
            cases.Add(machine, true, PageMix.Runs);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    [Rule("T05")]
    [Rule("T14")]
    public void Run_ChangesFollowedByInvalidation_AgreesWithTheMachineWithoutCaches(string machine, bool nested, PageMix mix)
    {
        int rounds = TestTiers.Pick(standard: 1, ci: 6, soak: 80);
        for (int round = 0; round < rounds; round++)
            Run(FuzzMachines.Get(machine), nested, mix, seed: 5000 + round);
    }

    private static void Run(MmuConfiguration machine, bool nested, PageMix mix, int seed)
    {
        using var cachedWorld = new FuzzWorld(nested, PageSize.Size4K, mix, seed);
        using var plainWorld = new FuzzWorld(nested, PageSize.Size4K, mix, seed);
        var cached = new FilteredCpu(cachedWorld.World, cachedWorld.World.Mmu(machine with { LookUpEveryAccess = false }));
        var plain = new FilteredCpu(plainWorld.World, plainWorld.World.Mmu(Machines.Uncached));
        var random = new Random(seed);
        int focus = 0;
        ulong linear = 0;
        PagingContext context = cachedWorld.Contexts[0];
        for (int n = 0; n < 6000; n++)
        {
            if (random.Next(12) == 0)
            {
                int action = random.Next(int.MaxValue);
                PagingContext next = ChangeAndInvalidate(cachedWorld, cached.Mmu, context, action, focus);
                ChangeAndInvalidate(plainWorld, plain.Mmu, context, action, focus);
                context = next;
            }

            cached.Attribute();
            if (random.Next(3) != 0)
                linear = cachedWorld.Pick(random, ref focus);
            AccessKind kind = (AccessKind)random.Next(3);
            AccessMode mode = kind == AccessKind.Fetch ? (AccessMode)random.Next(2) : (AccessMode)random.Next(4);
            Outcome expected = plain.Access(linear, kind, mode);
            Outcome actual = cached.Access(linear, kind, mode);
            if (expected != actual)
                Assert.Fail($"seed {seed}, access {n}: {expected} became {actual}");
            if (expected.Fault.Failure == TranslationFailure.PageFault)
            {
                cached.Mmu.InvalidateAfterPageFault(new LinearAddress(linear));
                plain.Mmu.InvalidateAfterPageFault(new LinearAddress(linear));
            }
        }

        StatisticsRules.Hold(cached.Snapshot());
        // A prefetch sets accessed flags ahead of any access.
        if (machine.Prefetch is null)
            Assert.True(cachedWorld.HasTheTablesOf(plainWorld), $"seed {seed}: accessed or dirty flags differ");
    }

    // What a careful guest and a careful host do.
    private static PagingContext ChangeAndInvalidate(FuzzWorld fuzz, Mmu<Unobserved> mmu, PagingContext context, int action, int focus)
    {
        var random = new Random(action);
        PagingContext current = context.IsPaging ? context : fuzz.Contexts[0];
        switch (random.Next(8))
        {
            case 0 or 1 or 2:
                ulong changed = fuzz.ChangeTables(random, current, focus);
                Invalidate(fuzz.World, mmu, context, current, changed + (ulong)random.Next(4096));
                return context;
            case 3:
                ulong resized = fuzz.ChangeSize(random, current);
                // From small pages to a large one, every small page may be cached.
                if ((fuzz.World.Read(fuzz.World.Entry(resized, 2, current.Cr3 & PagingEntry.AddressMask)) & PagingEntry.PageSizeBit) != 0)
                    mmu.InvalidateAll();
                else
                    Invalidate(fuzz.World, mmu, context, current, resized + (ulong)random.Next(1 << 21));
                return context;
            case 4:
                if (fuzz.World.IsNested)
                {
                    fuzz.ChangeEpt(random);
                    mmu.InvalidateEptContext(fuzz.Contexts[0].Eptp);
                }

                return context;
            default:
                PagingContext next = fuzz.Contexts[random.Next(fuzz.Contexts.Length)];
                // MOV CR0/CR4: a change of PCIDE flushes; so does PG 1 -> 0. SMEP 0 -> 1 flushes the PCID.
                bool changesPcide = ((next.Cr4 ^ context.Cr4) & Cr4.PcidEnable) != 0;
                bool changesPaging = next.IsPaging != context.IsPaging;
                // This world's two address spaces map global pages differently, so a guest that knows flushes those too.
                bool changesRoot = ((next.Cr3 ^ context.Cr3) & PagingEntry.AddressMask) != 0;
                mmu.SetContext(next);
                if (changesPcide || changesPaging || changesRoot)
                    mmu.InvalidateAll();
                else
                    mmu.InvalidatePcid(next.Pcid);
                // Some contexts differ in EPT's flags below the same root.
                if (next.Eptp != context.Eptp)
                    mmu.InvalidateEptContext(next.Eptp);
                return next;
        }
    }

    // INVLPG where one page changed and its tables are in force; otherwise everything goes, as a shootdown would have it.
    private static void Invalidate(World world, Mmu<Unobserved> mmu, PagingContext context, PagingContext changed, ulong linear)
    {
        ulong pde = linear is >= 0x1_0000_0000 and < 0x2_0000_0000 ? world.Read(world.Entry(linear, 2, changed.Cr3 & PagingEntry.AddressMask)) : 0;
        bool pointsToTable = pde != 0 && (pde & PagingEntry.PageSizeBit) == 0;
        if (context == changed && !pointsToTable)
            mmu.InvalidatePage(new LinearAddress(linear));
        else
            mmu.InvalidateAll();
    }
}
