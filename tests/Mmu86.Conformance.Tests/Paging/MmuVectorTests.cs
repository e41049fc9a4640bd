using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>The vectors that judge the reference walker, made through the MMU itself: cold and warm, with caches and without.</summary>
public sealed class MmuVectorTests
{
    public static TheoryData<string> Machines => ["uncached", "ideal", "small-skylake"];

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("P07")]
    [Rule("P08")]
    [Rule("P09")]
    [Rule("P10")]
    [Rule("P11")]
    [Rule("P13")]
    [Rule("R01")]
    [Rule("R02")]
    [Rule("R03")]
    [Rule("R04")]
    [Rule("R06")]
    [Rule("R14")]
    [Rule("F01")]
    [Rule("F02")]
    [Rule("F05")]
    [Rule("A01")]
    [Rule("A07")]
    public void Access_NativeVectors_AreAsStated(string machine)
    {
        using var world = WalkWorld.Native();
        var log = new MismatchLog();
        foreach (WalkVector vector in WalkVector.Load("native.txt"))
        {
            using Mmu<Unobserved> mmu = NewMmu(machine, vector, world);
            vector.WriteGuestEntries(world);
            Check(mmu, vector, vector.Fault(world), log);
            if (vector.Fault(world) is null)
                CheckFlags(world, vector, log);
        }

        log.AssertNone();
    }

    [Theory]
    [MemberData(nameof(Machines))]
    [Rule("E02")]
    [Rule("E03")]
    [Rule("E04")]
    [Rule("E06")]
    [Rule("E07")]
    [Rule("E23")]
    public void Access_EptVectors_AreAsStated(string machine)
    {
        using var world = WalkWorld.Nested();
        var log = new MismatchLog();
        foreach (WalkVector vector in WalkVector.Load("ept.txt"))
        {
            using Mmu<Unobserved> mmu = NewMmu(machine, vector, world);
            vector.WriteNestedEntries(world);
            Check(mmu, vector, vector.Fault(world), log);
        }

        log.AssertNone();
    }

    private static void Check(IMmu mmu, WalkVector vector, TranslationFault? stated, MismatchLog log)
    {
        foreach (string time in (string[])["cold", "warm"])
        {
            bool translated = mmu.TryTranslate(WalkWorld.Linear, vector.Kind, vector.Mode, out _);
            if (translated != stated is null || (!translated && mmu.Fault != stated))
            {
                string got = translated ? "ok" : ReferenceWalk.Describe(mmu.Fault);
                log.Add($"{time}: {vector.Line}", stated is { } fault ? ReferenceWalk.Describe(fault) : "ok", got);
            }
        }
    }

    // Exactly the flags of the last column: no entry of these vectors has one that the access should not set.
    private static void CheckFlags(WalkWorld world, WalkVector vector, MismatchLog log)
    {
        int map = PageTableBuilder.LevelOf(vector.GuestPageSize);
        string accessed = "a";
        for (int level = 4; level >= map; level--)
            accessed += (world.Memory.Read<ulong>(world.GuestEntry(level)) & PagingEntry.Accessed) != 0 ? level.ToString() : "";
        bool isDirty = (world.Memory.Read<ulong>(world.GuestEntry(map)) & PagingEntry.Dirty) != 0;
        string flags = accessed + (isDirty ? $" d{map}" : "");
        if (flags != vector.Flags)
            log.Add(vector.Line, vector.Flags, flags);
    }

    // A machine with the capabilities of a line, in the line's context.
    private static Mmu<Unobserved> NewMmu(string machine, WalkVector vector, WalkWorld world)
    {
        MmuConfiguration configuration = machine switch
        {
            "uncached" => TestMmuConfigurations.Uncached(),
            "ideal" => TestMmuConfigurations.Ideal(),
            "small-skylake" => TestMmuConfigurations.SmallSkylake(),
            _ => throw new ArgumentOutOfRangeException(nameof(machine)),
        };
        ReferenceCapabilities capabilities = vector.Capabilities;
        configuration = configuration with
        {
            PhysicalAddressBits = capabilities.PhysicalAddressBits,
            HasPage1G = capabilities.HasPage1G,
            Nested = configuration.Nested with { LargestPage = capabilities.HasEptPage1G ? "1g" : "2m" },
        };
        var mmu = new Mmu<Unobserved>(world.Memory, configuration, default);
        mmu.SetContext(vector.Context(world));
        return mmu;
    }
}
