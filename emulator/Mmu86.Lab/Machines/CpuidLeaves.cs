using Mmu86.Cpu;

namespace Mmu86.Lab.Machines;

/// <summary>The leaves of CPUID that report TLBs and caches, packed as the manuals have them.</summary>
internal static class CpuidLeaves
{
    private const uint FullByte = 0xFF;
    private const uint FullCode = 0xF;
    private const uint ToldElsewhereCode = 9;
    private const int HalfMebibyte = 512 << 10;

    // AMD's codes of associativity, each with the least number of ways that it stands for; 1 is direct mapped.
    private static readonly (int Ways, uint Code)[] s_codes =
        [(128, 0xE), (96, 0xD), (64, 0xC), (48, 0xB), (32, 0xA), (16, 8), (8, 6), (6, 5), (4, 4), (3, 3), (2, 2), (1, 1)];

    private static readonly string[] s_pageSizes = ["4k", "2m", "4m", "1g"];

    /// <summary>Leaf 2: AL is 1, for one execution tells everything, and the bytes behind it follow as they are.</summary>
    public static CpuidResult Descriptors(IReadOnlyList<string> texts)
    {
        Span<uint> words = [1, 0, 0, 0];
        for (int i = 0; i < texts.Count; i++)
        {
            if (!MachineRules.TryParseDescriptor(texts[i], out byte value))
                throw new ArgumentException($"'{texts[i]}' is not a descriptor", nameof(texts));
            words[(i + 1) / 4] |= (uint)value << ((i + 1) % 4 * 8);
        }

        return new CpuidResult(words[0], words[1], words[2], words[3]);
    }

    /// <summary>A subleaf of leaf 18H; of subleaf 0 only the number of those behind it is used.</summary>
    public static CpuidResult TranslationCache(IReadOnlyList<CpuidTranslationCache> caches, uint subleaf)
    {
        if (subleaf == 0)
            return new CpuidResult((uint)caches.Count, 0, 0, 0);
        if (subleaf > caches.Count)
            return default;
        CpuidTranslationCache cache = caches[(int)subleaf - 1];
        uint sizes = cache.PageSizes.Aggregate(0u, (bits, size) => bits | (1u << Array.IndexOf(s_pageSizes, size)));
        uint full = cache.FullyAssociative ? 1u << 8 : 0;
        return new CpuidResult(
            0,
            sizes | ((uint)cache.Ways << 16),
            (uint)cache.Sets,
            (uint)cache.Kind | ((uint)cache.Level << 5) | full | ((uint)(cache.SharedBy - 1) << 14));
    }

    /// <summary>A subleaf of leaf 4. One logical processor, so nothing is shared; whether a level includes the one above is not told.</summary>
    public static CpuidResult Cache(IReadOnlyList<CpuidCache> caches, uint subleaf)
    {
        if (subleaf >= caches.Count)
            return default;
        const uint SelfInitializing = 1 << 8;
        CpuidCache cache = caches[(int)subleaf];
        long sets = cache.SizeInBytes / ((long)cache.Ways * cache.LineBytes);
        return new CpuidResult(
            (uint)cache.Kind | ((uint)cache.Level << 5) | SelfInitializing,
            (uint)(cache.LineBytes - 1) | ((uint)(cache.Ways - 1) << 22),
            (uint)(sets - 1),
            0);
    }

    /// <summary>Leaf 80000005H: the first level, associativity in whole bytes.</summary>
    public static CpuidResult FirstLevel(CpuidDescription cpuid)
    {
        return new CpuidResult(Tlbs("2m"), Tlbs("4k"), CacheWord(CpuidCacheKind.Data), CacheWord(CpuidCacheKind.Instruction));

        uint Tlbs(string size) => (Tlb(CpuidTlbKind.Data, size) << 16) | Tlb(CpuidTlbKind.Instruction, size);

        uint Tlb(CpuidTlbKind kind, string size) => Find(cpuid, kind, 1, size) is { } tlb
            ? ((tlb.Ways == tlb.Entries ? FullByte : (uint)tlb.Ways) << 8) | (uint)tlb.Entries
            : 0;

        uint CacheWord(CpuidCacheKind kind) => cpuid.Caches?.FirstOrDefault(cache => cache.Level == 1 && cache.Kind == kind) is { } found
            ? ((uint)(found.SizeInBytes >> 10) << 24) | ((uint)found.Ways << 16) | (1 << 8) | (uint)found.LineBytes
            : 0;
    }

    /// <summary>Leaf 80000006H: the second level of TLBs, the second and third of caches, associativity in codes.</summary>
    public static CpuidResult SecondLevel(CpuidDescription cpuid)
    {
        return new CpuidResult(
            TlbPair(cpuid, 2, "2m"),
            TlbPair(cpuid, 2, "4k"),
            CacheOf(2) is { } l2 ? ((uint)(l2.SizeInBytes >> 10) << 16) | Shape(l2) : 0,
            CacheOf(3) is { } l3 ? ((uint)(l3.SizeInBytes / HalfMebibyte) << 18) | Shape(l3) : 0);

        CpuidCache? CacheOf(int level) => cpuid.Caches?.FirstOrDefault(cache => cache.Level == level);

        static uint Shape(CpuidCache cache) => ((cache.Ways == 0 ? ToldElsewhereCode : Code(cache.Ways)) << 12) | (1 << 8) | (uint)cache.LineBytes;
    }

    /// <summary>Leaf 80000019H: 1 GiB pages in both levels.</summary>
    public static CpuidResult HugePages(CpuidDescription cpuid) => new(TlbPair(cpuid, 1, "1g"), TlbPair(cpuid, 2, "1g"), 0, 0);

    private static uint TlbPair(CpuidDescription cpuid, int level, string size)
    {
        return (Half(CpuidTlbKind.Data) << 16) | Half(CpuidTlbKind.Instruction);

        uint Half(CpuidTlbKind kind) => Find(cpuid, kind, level, size) is { } tlb
            ? ((tlb.Ways == tlb.Entries ? FullCode : Code(tlb.Ways)) << 12) | (uint)tlb.Entries
            : 0;
    }

    private static uint Code(int ways) => s_codes.First(code => ways >= code.Ways).Code;

    private static CpuidExtendedTlb? Find(CpuidDescription cpuid, CpuidTlbKind kind, int level, string size) =>
        cpuid.ExtendedTlbs?.FirstOrDefault(tlb => tlb.Kind == kind && tlb.Level == level && tlb.PageSize == size);
}
