using System.Globalization;
using Mmu86.Paging;
using Mmu86.Timing;

namespace Mmu86.Lab.Machines;

/// <summary>Machines side by side: two tables of words, each narrow enough for a terminal of 80 columns.</summary>
public static class MachineComparison
{
    /// <summary>Where there is nothing.</summary>
    public const string Absent = "-";

    /// <summary>Behind a level that also has entries for coalesced pages.</summary>
    public const string Coalesces = "c";

    /// <summary>The TLBs, entries/ways by page size, and the largest page.</summary>
    /// <param name="machines">What to compare.</param>
    /// <returns>A row of headings, then one for each machine.</returns>
    public static IReadOnlyList<IReadOnlyList<string>> Tlbs(IReadOnlyList<MachineDescription> machines) =>
    [
        ["machine", "L1I 4k", "2m", "L1D 4k", "2m", "L2 4k", "2m", "1g", "L2I 4k", "pg"],
        .. machines.Select(machine => (IReadOnlyList<string>)
        [
            machine.Name,
            Tlb(machine.Mmu.L1Instruction, "4k"),
            Tlb(machine.Mmu.L1Instruction, "2m"),
            Tlb(machine.Mmu.L1Data, "4k"),
            Tlb(machine.Mmu.L1Data, "2m"),
            Tlb(machine.Mmu.L2, "4k"),
            Tlb(machine.Mmu.L2, "2m"),
            Tlb(machine.Mmu.L2, "1g"),
            machine.Mmu.L2Instruction is { } ofFetches ? Tlb(ofFetches, "4k") : Absent,
            machine.HasPage1G ? "1g" : "2m",
        ]),
    ];

    /// <summary>Everything else that costs cycles: caches of partial walks, of memory, and latencies.</summary>
    /// <param name="machines">What to compare.</param>
    /// <returns>A row of headings, then one for each machine.</returns>
    public static IReadOnlyList<IReadOnlyList<string>> Caches(IReadOnlyList<MachineDescription> machines) =>
    [
        ["machine", "walk caches", "nested", "L1D", "L2", "L3", "cycles", "L2 TLB", "bits"],
        .. machines.Select(machine => (IReadOnlyList<string>)
        [
            machine.Name,
            Walks(machine.Mmu.StructureCaches),
            $"{(machine.Mmu.Nested.Format == NestedFormat.Npt ? "npt" : "ept")} {Entries(machine.Mmu.StructureCaches.NestedTlb)}",
            Size(machine.Caches?.L1Data),
            Size(machine.Caches?.L2),
            Size(machine.Caches?.L3),
            machine.Caches is { } caches ? Latencies(caches) : Absent,
            string.Create(CultureInfo.InvariantCulture, $"+{machine.Mmu.Latencies.L2HitCycles}"),
            string.Create(CultureInfo.InvariantCulture, $"{machine.Cpuid.LinearAddressBits}/{machine.Cpuid.PhysicalAddressBits}"),
        ]),
    ];

    // Several arrays of one size are one number of entries. Arrays of stores alone are left out: a load never sees them.
    private static string Tlb(TlbLevelConfiguration level, string size)
    {
        TlbArrayConfiguration[] seen = [.. level.Arrays.Where(array => array.Serves != AccessesServed.Stores)];
        string groups = size == "4k" && seen.Any(array => array.CoalescedPages is not null) ? Coalesces : "";
        TlbArrayConfiguration[] arrays = [.. seen.Where(array => array.PageSizes.Contains(size))];
        if (arrays.Length == 0)
            return groups.Length == 0 ? Absent : groups;
        if (arrays.Any(array => array.Sets == 0))
            return "any";
        long entries = arrays.Sum(array => (long)array.Sets * array.Ways);
        string ways = arrays.All(array => array.Sets == 1) ? "fa" : string.Join('+', arrays.Select(array => array.Ways).Distinct());
        return string.Create(CultureInfo.InvariantCulture, $"{entries}/{ways}{groups}");
    }

    private static string Walks(StructureCachesConfiguration caches)
    {
        StructureCacheConfiguration?[] levels = [caches.Pml5e, caches.Pml4e, caches.Pdpte, caches.Pde];
        return string.Join(' ', levels.OfType<StructureCacheConfiguration>().Select(Entries));
    }

    private static string Entries(StructureCacheConfiguration cache) =>
        cache.Entries == 0 ? Absent : cache.Entries.ToString(CultureInfo.InvariantCulture);

    private static string Size(CacheConfiguration? cache)
    {
        const int Kibibyte = 1 << 10;
        const int Mebibyte = 1 << 20;
        return cache switch
        {
            null => Absent,
            { SizeInBytes: >= Mebibyte } => string.Create(CultureInfo.InvariantCulture, $"{cache.SizeInBytes / (double)Mebibyte:0.#}M"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{cache.SizeInBytes / Kibibyte}K"),
        };
    }

    private static string Latencies(CachesConfiguration caches)
    {
        CacheConfiguration?[] levels = [caches.L1Data, caches.L2, caches.L3];
        return string.Join(' ', levels.OfType<CacheConfiguration>().Select(cache => cache.LatencyCycles).Append(caches.MemoryLatencyCycles));
    }
}
