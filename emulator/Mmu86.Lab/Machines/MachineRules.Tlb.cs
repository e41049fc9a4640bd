using System.Numerics;
using System.Text.Json;
using Mmu86.Paging;

namespace Mmu86.Lab.Machines;

/// <content>TLBs and structure caches.</content>
internal sealed partial class MachineRules
{
    private void CheckLevel(TlbLevelConfiguration level, string path)
    {
        if (level.Arrays.Count > MaximumArrays)
            Refuse($"{path}.arrays", $"has {level.Arrays.Count} arrays; at most {MaximumArrays} are possible");
        for (int i = 0; i < level.Arrays.Count; i++)
            CheckArray(level.Arrays[i], $"{path}.arrays[{i}]");
        if (level.PcidSlots is { } slots)
            CheckRange(slots, 0, MaximumPcidSlots, $"{path}.pcidSlots");
        CheckGroups(level, path);
    }

    // Where several arrays of a level coalesce, the page number chooses one of them: their entries must be of one size.
    private void CheckGroups(TlbLevelConfiguration level, string path)
    {
        int? pages = null;
        for (int i = 0; i < level.Arrays.Count; i++)
        {
            if (level.Arrays[i].CoalescedPages is not { } own)
                continue;
            string ownPath = $"{path}.arrays[{i}].coalescedPages";
            if (!Geometry.IsGroup(own))
                Refuse(ownPath, $"must be 2, 4, 8 or 16, not {own}");
            else if (pages is { } others && others != own)
                Refuse(ownPath, $"must be {others} as in another array of the level, not {own}");
            else
                pages = own;
        }
    }

    // Loads and stores may have arrays of their own, but each must have some.
    private void CheckServes(MmuDescription mmu)
    {
        IReadOnlyList<TlbArrayConfiguration> data = mmu.L1Data.Arrays;
        if (data.Count > 0 && data.All(array => array.Serves == AccessesServed.Loads))
            Refuse("mmu.l1Data.arrays", "must have an array that serves stores");
        if (data.Count > 0 && data.All(array => array.Serves == AccessesServed.Stores))
            Refuse("mmu.l1Data.arrays", "must have an array that serves loads");
        foreach ((TlbLevelConfiguration? level, string path) in ((TlbLevelConfiguration?, string)[])
            [(mmu.L1Instruction, "mmu.l1Instruction"), (mmu.L2, "mmu.l2"), (mmu.L2Instruction, "mmu.l2Instruction")])
        {
            for (int i = 0; i < (level?.Arrays.Count ?? 0); i++)
                CheckAbsent(level!.Arrays[i].Serves, $"{path}.arrays[{i}].serves", "only the first level of data tells loads from stores");
        }
    }

    private void CheckPrefetch(MmuDescription mmu)
    {
        if (mmu.Prefetch is not { } prefetch)
            return;
        CheckRange(prefetch.Degree, 1, MaximumPrefetchDegree, "mmu.prefetch.degree");
        if (prefetch.Kind != PrefetchKind.Distance)
            CheckAbsent(prefetch.TableEntries, "mmu.prefetch.tableEntries", $"belongs to the kind distance, not to {Name(prefetch.Kind)}");
        else if (prefetch.TableEntries is { } entries)
            CheckRange(entries, 1, MaximumSets, "mmu.prefetch.tableEntries");
        else
            Refuse("mmu.prefetch.tableEntries", "is missing: the kind distance has a table");
        if (mmu.L2.Arrays.Count == 0 || mmu.L2Instruction is { Arrays.Count: 0 })
            Refuse("mmu.prefetch", "needs a second level to put pages into");
    }

    // Only second levels have one, and what includes a level must be able to hold all its pages.
    private void CheckInclusion(MmuDescription mmu)
    {
        CheckAbsent(mmu.L1Instruction.Inclusion, "mmu.l1Instruction.inclusion", "a second level includes the first, or does not");
        CheckAbsent(mmu.L1Data.Inclusion, "mmu.l1Data.inclusion", "a second level includes the first, or does not");
        CheckIncludes(mmu.L2, "mmu.l2", mmu.L1Data, "mmu.l1Data");
        CheckIncludes(mmu.L2Instruction ?? mmu.L2, mmu.L2Instruction is null ? "mmu.l2" : "mmu.l2Instruction", mmu.L1Instruction, "mmu.l1Instruction");
    }

    private void CheckIncludes(TlbLevelConfiguration second, string secondPath, TlbLevelConfiguration first, string firstPath)
    {
        if (second.Inclusion != Inclusion.Inclusive)
            return;
        string[] missing = [.. first.Arrays.SelectMany(array => array.PageSizes).Distinct().Except(second.Arrays.SelectMany(array => array.PageSizes))];
        if (missing.Length != 0)
            Refuse($"{secondPath}.inclusion", $"inclusive needs arrays for {string.Join(", ", missing)}, which {firstPath} holds");
        if (Pages(first) is { } pages && Pages(second) != pages)
            Refuse($"{secondPath}.inclusion", $"inclusive needs an array with coalescedPages {pages}, as {firstPath} has");

        static int? Pages(TlbLevelConfiguration level) => level.Arrays.FirstOrDefault(array => array.CoalescedPages is not null)?.CoalescedPages;
    }

    private void CheckArray(TlbArrayConfiguration array, string path)
    {
        CheckName(array.Name, $"{path}.name");
        if (!_arrayNames.TryAdd(array.Name, path))
            Refuse($"{path}.name", $"'{array.Name}' is the name of {_arrayNames[array.Name]} already");
        if (array.PageSizes.Count != 0 || array.CoalescedPages is null)
            CheckNames(array.PageSizes, s_pageSizes, $"{path}.pageSizes");

        if (array.Sets == 0 && array.Ways == 0)
        {
            // No bound: nothing is ever replaced, and index and policy have no say.
            CheckAbsent(array.IndexMasks, $"{path}.indexMasks", "an array without bounds has no index");
            CheckAbsent(array.Permutations, $"{path}.permutations", "an array without bounds replaces nothing");
            return;
        }

        if (array.Sets == 0 || array.Ways == 0)
        {
            Refuse(array.Sets == 0 ? $"{path}.sets" : $"{path}.ways", "is 0: an array without bounds has 0 sets and 0 ways, any other at least 1 of both");
            return;
        }

        bool setsPossible = CheckRange(array.Sets, 1, MaximumSets, $"{path}.sets");
        bool waysPossible = CheckRange(array.Ways, 1, MaximumWays, $"{path}.ways");
        if (setsPossible && array.Hash != IndexHash.Linear && !BitOperations.IsPow2(array.Sets))
            Refuse($"{path}.sets", $"must be a power of two for {Name(array.Hash)}, not {array.Sets}");
        else if (setsPossible && array.Hash == IndexHash.Skewed && array.Sets < Geometry.LeastSkewedSets)
            Refuse($"{path}.sets", $"must be at least {Geometry.LeastSkewedSets} for skewed, not {array.Sets}");
        if (waysPossible)
            CheckReplacement(array.Replacement, array.Ways, $"{path}.ways");
        CheckMasks(array, setsPossible, path);
        CheckPermutations(array, waysPossible, path);
        if (array.Hash == IndexHash.Skewed)
            CheckSkewed(array, waysPossible, path);
        if (setsPossible && waysPossible && (long)array.Sets * array.Ways > MaximumEntries)
            Refuse(path, $"has {(long)array.Sets * array.Ways} entries; at most {MaximumEntries} are possible");
    }

    private void CheckMasks(TlbArrayConfiguration array, bool setsPossible, string path)
    {
        path = $"{path}.indexMasks";
        if (array.Hash != IndexHash.Masks)
        {
            CheckAbsent(array.IndexMasks, path, $"belongs to the hash masks, not to {Name(array.Hash)}");
            return;
        }

        if (array.IndexMasks is not { } masks)
        {
            Refuse(path, "is missing: the hash masks needs one for each bit of the index, the lowest first");
            return;
        }

        if (setsPossible && BitOperations.IsPow2(array.Sets) && masks.Count != BitOperations.Log2((uint)array.Sets))
            Refuse(path, $"must have {BitOperations.Log2((uint)array.Sets)} masks for {array.Sets} sets, not {masks.Count}");
        for (int i = 0; i < masks.Count; i++)
        {
            if (!Geometry.TryParseMask(masks[i], out _))
                Refuse($"{path}[{i}]", $"must be the bits of a page number, such as 0x81, at most 45 of them and not none, not '{masks[i]}'");
        }
    }

    private void CheckPermutations(TlbArrayConfiguration array, bool waysPossible, string path)
    {
        string listPath = $"{path}.permutations";
        if (array.Replacement != Replacement.Permutation)
        {
            CheckAbsent(array.Permutations, listPath, $"belongs to the replacement permutation, not to {Name(array.Replacement)}");
            return;
        }

        if (array.Permutations is not { } permutations)
        {
            Refuse(listPath, "is missing: permutation needs one for a hit at each position, and one for a fill");
            return;
        }

        if (!waysPossible || array.Ways > Geometry.MaximumPermutationWays)
            return;
        if (permutations.Count != array.Ways + 1)
            Refuse(listPath, $"must have {array.Ways + 1} lists for {array.Ways} ways, not {permutations.Count}");
        for (int i = 0; i < permutations.Count; i++)
        {
            if (!Geometry.IsPermutation(permutations[i], array.Ways))
                Refuse($"{listPath}[{i}]", $"must have the numbers 0 to {array.Ways - 1}, each once");
        }
    }

    private void CheckSkewed(TlbArrayConfiguration array, bool waysPossible, string path)
    {
        if (waysPossible && array.Ways > Geometry.MaximumSkewedWays)
            Refuse($"{path}.ways", $"must be at most {Geometry.MaximumSkewedWays} for skewed, not {array.Ways}");
        if (!Geometry.SuitsSkewed(array.Replacement))
            Refuse($"{path}.replacement", $"must be lru, fifo, random or nru in a skewed array: it has no sets for {Name(array.Replacement)} to work on");
    }

    private void CheckAbsent(object? value, string path, string why)
    {
        if (value is not null)
            Refuse(path, $"must be absent: {why}");
    }

    // As the description writes it.
    private static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    private void CheckCache(StructureCacheConfiguration cache, string path)
    {
        if (cache.Entries == 0)
        {
            if (cache.Ways != 0)
                Refuse($"{path}.ways", "must be 0 where entries are 0: the cache does not exist");
            return;
        }

        if (!Geometry.SuitsStructureCache(cache.Replacement))
            Refuse($"{path}.replacement", $"{Name(cache.Replacement)} is for TLB arrays only");
        bool entriesPossible = CheckRange(cache.Entries, 1, MaximumSets, $"{path}.entries");
        bool waysPossible = CheckRange(cache.Ways, 1, MaximumWays, $"{path}.ways");
        if (waysPossible)
            CheckReplacement(cache.Replacement, cache.Ways, $"{path}.ways");
        if (!entriesPossible || !waysPossible)
            return;
        if (cache.Entries % cache.Ways != 0)
            Refuse($"{path}.ways", $"must divide the {cache.Entries} entries, and {cache.Ways} does not");
        else if (cache.Hash == IndexHash.Xor && !BitOperations.IsPow2(cache.Entries / cache.Ways))
            Refuse($"{path}.hash", $"xor needs sets to be a power of two, not {cache.Entries / cache.Ways}");
        if (cache.Hash > IndexHash.Xor)
            Refuse($"{path}.hash", $"{Name(cache.Hash.Value)} is for TLB arrays only");
    }

    private void CheckReplacement(Replacement replacement, int ways, string path)
    {
        switch (replacement)
        {
            case Replacement.TreePlru:
                if (!BitOperations.IsPow2(ways))
                    Refuse(path, $"must be a power of two for treePlru, not {ways}");
                else if (ways > MaximumTreeWays)
                    Refuse(path, $"must be at most {MaximumTreeWays} for treePlru, not {ways}");
                break;
            case Replacement.Mru3Plru:
                if (ways % 3 != 0 || !BitOperations.IsPow2(ways / 3))
                    Refuse(path, $"must be three times a power of two for mru3Plru, not {ways}");
                else if (ways / 3 > MaximumTreeWays / 4)
                    Refuse(path, $"must be at most {MaximumTreeWays / 4 * 3} for mru3Plru, not {ways}");
                break;
            case Replacement.Permutation:
                if (ways > Geometry.MaximumPermutationWays)
                    Refuse(path, $"must be at most {Geometry.MaximumPermutationWays} for permutation, not {ways}");
                break;
            case Replacement.Lru:
            case Replacement.Fifo:
            case Replacement.Random:
            case Replacement.Nru:
            case Replacement.Srrip:
                break;
        }
    }
}
