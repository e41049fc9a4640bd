using System.Globalization;
using System.Numerics;

namespace Mmu86.Lab.Machines;

/// <content>What CPUID reports of TLBs and caches: whatever fits into its registers.</content>
internal sealed partial class MachineRules
{
    // Leaf 2 has sixteen bytes, of which AL is the count.
    private const int MaximumDescriptors = 15;
    private const int HighestByteOfRegister = 3;
    private const byte RegisterSaysNothing = 0x80;
    private const int MaximumReported = 32;
    private const int FieldOfByte = 0xFF;
    private const int FieldOf12Bits = 0xFFF;
    private const long HalfMebibyte = 512 << 10;

    private static readonly string[] s_translationSizes = ["4k", "2m", "4m", "1g"];

    /// <summary>A descriptor byte of leaf 2, written <c>0x..</c>.</summary>
    public static bool TryParseDescriptor(string text, out byte value)
    {
        value = 0;
        return text.StartsWith("0x", StringComparison.Ordinal)
            && byte.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private void CheckReportedStructures(CpuidDescription cpuid)
    {
        bool isAmd = cpuid.Vendor == MachineCpuid.Amd;
        CheckDescriptors(cpuid.TlbDescriptors);
        if (cpuid.TranslationCaches is { } caches && CheckCount(caches.Count, "cpuid.translationCaches"))
            CheckTranslationCaches(caches);
        if (cpuid.ExtendedTlbs is { } tlbs && CheckCount(tlbs.Count, "cpuid.extendedTlbs"))
        {
            if (!isAmd)
                Refuse("cpuid.extendedTlbs", $"must be absent: only {MachineCpuid.Amd} has these leaves");
            CheckExtendedTlbs(tlbs);
        }

        if (cpuid.Caches is { } memoryCaches && CheckCount(memoryCaches.Count, "cpuid.caches"))
            CheckReportedCaches(memoryCaches, isAmd);
    }

    private void CheckDescriptors(IReadOnlyList<string> descriptors)
    {
        for (int i = 0; i < descriptors.Count; i++)
        {
            if (!TryParseDescriptor(descriptors[i], out byte value))
                Refuse($"cpuid.tlbDescriptors[{i}]", $"must be a byte such as 0x63, not '{descriptors[i]}'");
            else if ((i + 1) % 4 == HighestByteOfRegister && value >= RegisterSaysNothing)
                Refuse($"cpuid.tlbDescriptors[{i}]", $"must be below 0x80, not '{descriptors[i]}': bit 31 of a register says that the register tells nothing");
        }

        if (descriptors.Count > MaximumDescriptors)
            Refuse("cpuid.tlbDescriptors", $"leaf 2 has room for {MaximumDescriptors} descriptors");
    }

    private bool CheckCount(int count, string path)
    {
        if (count <= MaximumReported)
            return true;
        Refuse(path, $"has {count} items; at most {MaximumReported} are possible");
        return false;
    }

    private void CheckTranslationCaches(IReadOnlyList<CpuidTranslationCache> caches)
    {
        for (int i = 0; i < caches.Count; i++)
        {
            CpuidTranslationCache cache = caches[i];
            string path = $"cpuid.translationCaches[{i}]";
            CheckRange(cache.Level, 1, 7, $"{path}.level");
            CheckRange(cache.Sets, 1, 1 << 16, $"{path}.sets");
            CheckRange(cache.Ways, 1, 0xFFFF, $"{path}.ways");
            CheckRange(cache.SharedBy, 1, 1 << 12, $"{path}.sharedBy");
            if (cache.FullyAssociative && cache.Sets > 1)
                Refuse($"{path}.sets", $"must be 1 for a fully associative cache, not {cache.Sets}");
            CheckNames(cache.PageSizes, s_translationSizes, $"{path}.pageSizes");
        }
    }

    private void CheckExtendedTlbs(IReadOnlyList<CpuidExtendedTlb> tlbs)
    {
        for (int i = 0; i < tlbs.Count; i++)
        {
            CpuidExtendedTlb tlb = tlbs[i];
            string path = $"cpuid.extendedTlbs[{i}]";
            bool isPlaceKnown = CheckRange(tlb.Level, 1, 2, $"{path}.level");
            if (!s_pageSizes.Contains(tlb.PageSize))
            {
                Refuse($"{path}.pageSize", $"must be one of {string.Join(", ", s_pageSizes)}, not '{tlb.PageSize}'");
                isPlaceKnown = false;
            }

            if (isPlaceKnown && tlbs.Take(i).Any(other => (other.Kind, other.Level, other.PageSize) == (tlb.Kind, tlb.Level, tlb.PageSize)))
                Refuse(path, $"the {(tlb.Kind == CpuidTlbKind.Data ? "data" : "instruction")} TLB of level {tlb.Level} for {tlb.PageSize} appears twice");
            bool isByte = tlb.Level == 1 && tlb.PageSize != "1g";
            if (CheckRange(tlb.Entries, 1, isByte ? FieldOfByte : FieldOf12Bits, $"{path}.entries"))
                CheckRange(tlb.Ways, 1, tlb.Entries, $"{path}.ways");
        }
    }

    private void CheckReportedCaches(IReadOnlyList<CpuidCache> caches, bool isAmd)
    {
        for (int i = 0; i < caches.Count; i++)
        {
            CpuidCache cache = caches[i];
            string path = $"cpuid.caches[{i}]";
            if (!CheckRange(cache.Level, 1, 3, $"{path}.level"))
                continue;
            if ((cache.Level == 1) == (cache.Kind == CpuidCacheKind.Unified))
                Refuse($"{path}.kind", cache.Level == 1 ? "must be data or instruction in level 1" : $"must be unified in level {cache.Level}");
            if (caches.Take(i).Any(other => (other.Level, other.Kind) == (cache.Level, cache.Kind)))
                Refuse(path, $"a cache of this kind and level {cache.Level} appears twice");
            bool isLinePossible = cache.LineBytes is >= 16 and <= 128 && BitOperations.IsPow2(cache.LineBytes);
            if (!isLinePossible)
                Refuse($"{path}.lineBytes", $"must be a power of two from 16 to 128, not {cache.LineBytes}");
            bool areWaysTold = !isAmd || cache.Level == 1 || cache.Ways != 0;
            if (areWaysTold && !CheckRange(cache.Ways, 1, CacheRules.MaximumWays, $"{path}.ways"))
                continue;
            if (isLinePossible)
                CheckReportedSize(cache, isAmd, path);
        }
    }

    private void CheckReportedSize(CpuidCache cache, bool isAmd, string path)
    {
        // On AMD sizes stand in the leaf as they are; leaf 4 has the sets instead.
        (long unit, long most) = (isAmd, cache.Level) switch
        {
            (true, 1) => (1 << 10, (long)FieldOfByte << 10),
            (true, 2) => (1 << 10, 0xFFFFL << 10),
            (true, _) => (HalfMebibyte, 0x3FFF * HalfMebibyte),
            (false, _) => ((long)cache.Ways * cache.LineBytes, CacheRules.MaximumBytes),
        };
        path = $"{path}.sizeInBytes";
        if (CheckRange(cache.SizeInBytes, unit, most, path) && cache.SizeInBytes % unit != 0)
            Refuse(path, $"must be a multiple of {unit}, and {cache.SizeInBytes} is not");
    }

    private void CheckNames(IReadOnlyList<string> names, string[] known, string path)
    {
        if (names.Count == 0)
            Refuse(path, $"must name at least one of {string.Join(", ", known)}");
        for (int i = 0; i < names.Count; i++)
        {
            if (!known.Contains(names[i]))
                Refuse($"{path}[{i}]", $"must be one of {string.Join(", ", known)}, not '{names[i]}'");
            else if (names.Take(i).Contains(names[i]))
                Refuse($"{path}[{i}]", $"'{names[i]}' appears twice");
        }
    }
}
