using Mmu86.Lab.Configuration;
using Mmu86.Paging;

namespace Mmu86.Lab.Machines;

/// <summary>What a machine description must obey beyond its shape: geometry that can be built, widths that exist, names that are unique.</summary>
internal sealed partial class MachineRules
{
    /// <summary>The most sets of one array. Larger than any silicon, small enough that a typing error does not eat the host's memory.</summary>
    public const int MaximumSets = 1 << 16;

    /// <summary>The most ways of one array.</summary>
    public const int MaximumWays = 4096;

    /// <summary>The most ways of tree pseudo-LRU: its tree is one 64-bit word.</summary>
    public const int MaximumTreeWays = 64;

    /// <summary>The most entries of one array.</summary>
    public const int MaximumEntries = 1 << 20;

    /// <summary>The most address spaces that a level may be told to keep: PCIDs have 12 bits.</summary>
    public const int MaximumPcidSlots = 4096;

    /// <summary>The most pages prefetched behind one miss.</summary>
    public const int MaximumPrefetchDegree = 16;

    /// <summary>The most arrays of one level.</summary>
    public const int MaximumArrays = 8;

    /// <summary>The highest latency, in cycles.</summary>
    public const int MaximumCycles = 1_000_000;

    private static readonly string[] s_pageSizes = ["4k", "2m", "1g"];

    private readonly List<ConfigurationError> _errors = [];
    private readonly Dictionary<string, string> _arrayNames = [];

    private MachineRules()
    {
    }

    /// <summary>Everything that is wrong with a description.</summary>
    public static IReadOnlyList<ConfigurationError> Check(MachineDescription machine)
    {
        var rules = new MachineRules();
        rules.CheckName(machine.Name, "name");
        rules.CheckCpuid(machine.Cpuid);
        rules.CheckMmu(machine.Mmu);
        if (machine.Caches is { } caches)
            rules._errors.AddRange(CacheRules.Check(caches));
        rules.CheckRange(machine.Clock.FrequencyHertz, 1, 1_000_000_000_000, "clock.frequencyHertz");
        return rules._errors;
    }

    private void CheckCpuid(CpuidDescription cpuid)
    {
        if (cpuid.Vendor.Length != 12 || !IsPrintable(cpuid.Vendor))
            Refuse("cpuid.vendor", "must have exactly 12 printable ASCII characters");
        if (cpuid.Brand.Length > 47 || !IsPrintable(cpuid.Brand))
            Refuse("cpuid.brand", "must have at most 47 printable ASCII characters");
        CheckRange(cpuid.Family, 1, 270, "cpuid.family");
        CheckRange(cpuid.Model, 0, 255, "cpuid.model");
        CheckRange(cpuid.Stepping, 0, 15, "cpuid.stepping");
        CheckRange(cpuid.PhysicalAddressBits, 36, 52, "cpuid.physicalAddressBits");
        int linearAddressBits = cpuid.Features.Contains("la57") ? 57 : 48;
        if (cpuid.LinearAddressBits != linearAddressBits)
            Refuse("cpuid.linearAddressBits", $"must be 48, or 57 with the feature 'la57', not {cpuid.LinearAddressBits}");
        CheckFeatures(cpuid.Features);
        CheckReportedStructures(cpuid);
    }

    private void CheckFeatures(IReadOnlyList<string> features)
    {
        HashSet<string> seen = [];
        for (int i = 0; i < features.Count; i++)
        {
            string path = $"cpuid.features[{i}]";
            if (!CpuidFeatures.All.Any(feature => feature.Name == features[i]))
                Refuse(path, $"'{features[i]}' is not a feature that Mmu86 has{Suggestion.Ending(features[i], CpuidFeatures.All.Select(f => f.Name))}");
            else if (!seen.Add(features[i]))
                Refuse(path, $"'{features[i]}' appears twice");
        }

        foreach (string required in CpuidFeatures.Required)
        {
            if (!features.Contains(required))
                Refuse("cpuid.features", $"must have '{required}': 64-bit mode needs it");
        }
    }

    private void CheckMmu(MmuDescription mmu)
    {
        CheckLevel(mmu.L1Instruction, "mmu.l1Instruction");
        CheckLevel(mmu.L1Data, "mmu.l1Data");
        CheckLevel(mmu.L2, "mmu.l2");
        if (mmu.L2Instruction is { } ofFetches)
            CheckLevel(ofFetches, "mmu.l2Instruction");
        CheckServes(mmu);
        CheckInclusion(mmu);
        CheckPrefetch(mmu);
        StructureCachesConfiguration caches = mmu.StructureCaches;
        if (caches.Pml5e is { } pml5e)
            CheckCache(pml5e, "mmu.structureCaches.pml5e");
        CheckCache(caches.Pml4e, "mmu.structureCaches.pml4e");
        CheckCache(caches.Pdpte, "mmu.structureCaches.pdpte");
        CheckCache(caches.Pde, "mmu.structureCaches.pde");
        CheckCache(caches.EptPml4e, "mmu.structureCaches.eptPml4e");
        CheckCache(caches.EptPdpte, "mmu.structureCaches.eptPdpte");
        CheckCache(caches.EptPde, "mmu.structureCaches.eptPde");
        CheckCache(caches.NestedTlb, "mmu.structureCaches.nestedTlb");
        if (!s_pageSizes.Contains(mmu.Nested.LargestPage))
            Refuse("mmu.nested.largestPage", $"must be one of 4k, 2m, 1g, not '{mmu.Nested.LargestPage}'");
        else if (mmu.Nested.Format == NestedFormat.Npt && mmu.Nested.LargestPage == "4k")
            Refuse("mmu.nested.largestPage", "must be 2m or 1g for npt: the ordinary paging format has large pages always");
        CheckRange(mmu.Latencies.L2HitCycles, 0, MaximumCycles, "mmu.latencies.l2HitCycles");
        CheckRange(mmu.Latencies.WalkStartCycles, 0, MaximumCycles, "mmu.latencies.walkStartCycles");
        CheckRange(mmu.Latencies.WalkReferenceCycles, 0, MaximumCycles, "mmu.latencies.walkReferenceCycles");
    }

    private void CheckName(string name, string path)
    {
        if (name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
            Refuse(path, "must have 1 to 64 letters, digits, '-', '_' or '.'");
    }

    private bool CheckRange(long value, long least, long most, string path)
    {
        if (value >= least && value <= most)
            return true;
        Refuse(path, least == most ? $"must be {least}, not {value}" : $"must be {least} to {most}, not {value}");
        return false;
    }

    private static bool IsPrintable(string text) => text.All(c => c is >= ' ' and <= '~');

    private void Refuse(string path, string message) => _errors.Add(new ConfigurationError(path, message));
}
