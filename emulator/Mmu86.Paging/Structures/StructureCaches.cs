using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The caches of partial walks: of the guest's tables, of EPT, and the nested TLB.</summary>
internal sealed unsafe class StructureCaches : IDisposable
{
    private static readonly StructureCacheConfiguration s_none = new() { Entries = 0, Ways = 0, Replacement = Replacement.Lru };

    // Theirs alone, so that everything they hold can be put aside. Counts by space are a hundred times as large as the entries, and follow from them.
    private readonly Arena _arena = new();
    private readonly Arena _counts = new();
    private readonly StructureCache* _all;
    private byte[] _saved = [];

    /// <summary>Builds those that the machine has.</summary>
    public StructureCaches(TagPool pool, StructureCachesConfiguration configuration, ulong seed)
    {
        _all = _arena.Allocate<StructureCache>((2 * TableLayout.MaximumLevels) + 1);
        Guest = _all;
        Ept = _all + TableLayout.MaximumLevels;
        NestedTlb = _all + (2 * TableLayout.MaximumLevels);
        (string Name, int Index, StructureCacheConfiguration Cache)[] caches =
        [
            ("pml5e", 5, configuration.Pml5e ?? s_none),
            ("pml4e", 4, configuration.Pml4e),
            ("pdpte", 3, configuration.Pdpte),
            ("pde", 2, configuration.Pde),
            ("eptPml4e", TableLayout.MaximumLevels + 4, configuration.EptPml4e),
            ("eptPdpte", TableLayout.MaximumLevels + 3, configuration.EptPdpte),
            ("eptPde", TableLayout.MaximumLevels + 2, configuration.EptPde),
            ("nestedTlb", 2 * TableLayout.MaximumLevels, configuration.NestedTlb),
        ];
        foreach ((string name, int index, StructureCacheConfiguration cache) in caches)
        {
            Geometry.Check(name, cache);
            _all[index].Initialize(_arena, _counts, pool, cache, seed + (ulong)index);
            _all[index].Level = index % TableLayout.MaximumLevels;
        }

        LowestGuest = Link(Guest);
        LowestEpt = Link(Ept);
    }

    /// <summary>Of the guest's tables, by level. Combined with EPT where that is on: they give host-physical addresses.</summary>
    public StructureCache* Guest { get; }

    /// <summary>Of EPT, by level.</summary>
    public StructureCache* Ept { get; }

    /// <summary>Where a search of those of the guest's tables begins, or null.</summary>
    public StructureCache* LowestGuest { get; }

    /// <summary>Where a search of those of EPT begins, or null.</summary>
    public StructureCache* LowestEpt { get; }

    /// <summary>Guest-physical page to host frame.</summary>
    public StructureCache* NestedTlb { get; }

    /// <summary>Drops the guest entries that would serve a linear address.</summary>
    public void RemoveLinear(uint space, ulong address)
    {
        for (StructureCache* cache = LowestGuest; cache != null; cache = cache->Above)
            cache->RemovePrefix(space, address);
    }

    /// <summary>Drops the EPT entries and the nested-TLB entries that would serve a guest-physical address.</summary>
    public void RemoveGuestPhysical(uint space, ulong address)
    {
        for (StructureCache* cache = LowestEpt; cache != null; cache = cache->Above)
            cache->RemovePrefix(space, address);
        for (PageSize size = PageSize.Size4K; size <= PageSize.Size1G; size++)
            NestedTlb->Remove(space, size, address >> size.Shift());
    }

    /// <summary>A space is to be retired.</summary>
    /// <returns>How many entries die with it.</returns>
    public uint Bury(uint space)
    {
        uint total = 0;
        for (int i = 0; i <= 2 * TableLayout.MaximumLevels; i++)
            total += _all[i].Bury(space);
        return total;
    }

    /// <summary>Empties the ways of dead entries.</summary>
    public void Sweep()
    {
        for (int i = 0; i <= 2 * TableLayout.MaximumLevels; i++)
            _all[i].Sweep();
    }

    /// <summary>Puts aside what they hold, in which order it would be replaced, and what they counted.</summary>
    public void Save() => _arena.Save(ref _saved);

    /// <summary>Undoes whatever happened since <see cref="Save"/>.</summary>
    public void Restore()
    {
        for (int i = 0; i <= 2 * TableLayout.MaximumLevels; i++)
            _all[i].Uncount();
        _arena.Restore(_saved);
        for (int i = 0; i <= 2 * TableLayout.MaximumLevels; i++)
            _all[i].Recount();
    }

    /// <summary>Writes all of them.</summary>
    public void Save(StateWriter writer)
    {
        for (int i = 0; i <= 2 * TableLayout.MaximumLevels; i++)
            _all[i].Save(writer);
    }

    /// <summary>Reads them back into caches that held nothing yet.</summary>
    public void Load(StateReader reader)
    {
        for (int i = 0; i <= 2 * TableLayout.MaximumLevels; i++)
        {
            reader.Enter($"cache{i}");
            _all[i].Load(reader, _arena);
            reader.Leave();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _arena.Dispose();
        _counts.Dispose();
    }

    private static StructureCache* Link(StructureCache* levels)
    {
        StructureCache* lowest = null;
        for (int level = TableLayout.MaximumLevels - 1; level >= 2; level--)
        {
            if (!levels[level].Exists)
                continue;
            levels[level].Above = lowest;
            lowest = levels + level;
        }

        return lowest;
    }
}
