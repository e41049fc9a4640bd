using Mmu86.Paging;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>How a hypervisor keeps shadow tables.</summary>
public sealed record ShadowOptions
{
    /// <summary>The fewest tables: one instruction may need a dozen pages, each with tables of its own.</summary>
    public const int FewestTables = 64;

    /// <summary>The most shadow tables at a time; past that, tables of the guest's root that was left longest ago go. At least <see cref="FewestTables"/>.</summary>
    public required int MostTables { get; init; }

    /// <summary>The processor, whose paging formats the guest's tables have: by <see cref="WithoutCaches"/>.</summary>
    public required MmuConfiguration Processor { get; init; }

    /// <summary>A processor that walks in full for each access, with EPT: how a hypervisor looks at the tables of a guest.</summary>
    public static MmuConfiguration WithoutCaches(MmuConfiguration processor)
    {
        var none = new TlbLevelConfiguration { Arrays = [] };
        var noCache = new StructureCacheConfiguration { Entries = 0, Ways = 0, Replacement = Paging.Replacement.Lru };
        return processor with
        {
            L1Instruction = none,
            L1Data = none,
            L2 = none,
            L2Instruction = null,
            Prefetch = null,
            StructureCaches = new StructureCachesConfiguration
            {
                Pml4e = noCache,
                Pdpte = noCache,
                Pde = noCache,
                EptPml4e = noCache,
                EptPdpte = noCache,
                EptPde = noCache,
                NestedTlb = noCache,
            },
            Nested = new NestedPagingConfiguration
            {
                Format = NestedFormat.Ept,
                LargestPage = "1g",
                ExecuteOnly = true,
                AccessedAndDirty = true,
                FiveLevels = false,
                ViolationDetails = false,
            },
            LookUpEveryAccess = true,
        };
    }

    /// <summary>As many tables as KVM keeps by default: a fiftieth of the frames of the guest.</summary>
    /// <param name="memoryBytes">Guest-physical memory.</param>
    public static int TablesFor(ulong memoryBytes) => (int)Math.Max(FewestTables, Math.Min(memoryBytes / 4096 / 50, int.MaxValue / 2));
}
