using System.Numerics;
using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Installs slots of the translation filter and kills them: the only writer of the filter.</summary>
/// <remarks>
/// A slot lives only while a lookup of its page would be a hit of the modelled first level that changes nothing in the model. So
/// whoever changes a modelled entry calls <see cref="Kill"/> in the same call. A slot killed without need costs one slow lookup; a slot
/// left over would be a wrong count or a wrong translation. That is why kills compare pages and not owners: what hits the page dies.
/// </remarks>
internal sealed unsafe class FilterKeeper : IDisposable
{
    /// <summary>The number of the first fetch table; the data tables come before it, two a bank.</summary>
    public const int FirstFetchTable = 2 * TranslationFilter.Banks;

    private const int Tables = FirstFetchTable + 2;
    private const int WordsPerTable = TranslationFilter.Slots / 64;
    private const int Words = Tables * WordsPerTable;

    private readonly FilterSlot* _slots;
    private readonly ulong* _installed;

    /// <summary>Makes the keeper of an empty filter.</summary>
    public FilterKeeper(Arena arena)
    {
        Filter = new TranslationFilter();
        _slots = Filter.DataTable(AccessMode.User);
        _installed = arena.Allocate<ulong>(Words);
    }

    /// <summary>The filter kept.</summary>
    public TranslationFilter Filter { get; }

    /// <summary>The number of the read table of a bank; its write table is the next.</summary>
    public static int DataTable(AccessMode bank) => 2 * (int)bank;

    /// <summary>The number of the fetch table of a mode.</summary>
    public static int FetchTable(AccessMode mode) => mode == AccessMode.User ? FirstFetchTable : FirstFetchTable + 1;

    /// <summary>Lets the hot path answer for a page.</summary>
    /// <param name="lane">The lane of the entry, in a first-level array.</param>
    /// <param name="entry">The entry that answered.</param>
    /// <param name="table">Which table.</param>
    /// <param name="page">The first address of the 4 KiB page.</param>
    /// <param name="payload">What the slot answers.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Install(TlbLane* lane, int entry, int table, ulong page, ulong payload)
    {
        uint index = (uint)(page >> 12) & (TranslationFilter.Slots - 1);
        uint slot = ((uint)table * TranslationFilter.Slots) + index;
        // SAFETY: table < Tables and index < Slots; the tables lie one after the other in the filter's reservation.
        _slots[slot].Tag = page;
        _slots[slot].Payload = payload;
        _installed[slot >> 6] |= 1UL << (int)slot;
        lane->SlotTables[entry] |= (byte)(1 << table);
        if (lane->Size != PageSize.Size4K && lane->Array->SlotIndices != null)
            lane->Array->SlotIndices[((uint)entry * WordsPerTable) + (index >> 6)] |= 1UL << (int)index;
    }

    /// <summary>Removes every slot of an entry, whose tag must still be in place. Costs what was installed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Kill(TlbArray* array, int entry)
    {
        if (array->SlotTables != null && array->SlotTables[entry] != 0)
            KillInstalled(array, entry);
    }

    /// <summary><see cref="Kill"/> for an array that the filter serves. Mostly a small page has a slot in one table.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void KillServed(TlbLane* lane, int entry)
    {
        uint tables = lane->SlotTables[entry];
        if (tables == 0)
            return;
        ulong tag = lane->Tags[entry];
        if ((tables & (tables - 1)) != 0 || Tag.Size(tag) != PageSize.Size4K)
        {
            KillInstalled(lane->Array, entry);
            return;
        }

        lane->SlotTables[entry] = 0;
        ulong page = Tag.Address(tag);
        FilterSlot* slot = _slots + (BitOperations.TrailingZeroCount(tables) * TranslationFilter.Slots) + ((int)(page >> 12) & (TranslationFilter.Slots - 1));
        if (slot->Tag == page)
            slot->Tag = TranslationFilter.Empty;
    }

    /// <summary><see cref="Kill"/> of an entry that has slots.</summary>
    public void KillInstalled(TlbArray* array, int entry)
    {
        uint tables = array->SlotTables[entry];
        array->SlotTables[entry] = 0;
        ulong tag = array->Entries.Tags[entry];
        if (Tag.Size(tag) != PageSize.Size4K)
        {
            KillLarge(array, entry, tables, tag);
            return;
        }

        ulong page = Tag.Address(tag);
        FilterSlot* slots = _slots + ((int)(page >> 12) & (TranslationFilter.Slots - 1));
        do
        {
            FilterSlot* slot = slots + (BitOperations.TrailingZeroCount(tables) * TranslationFilter.Slots);
            if (slot->Tag == page)
                slot->Tag = TranslationFilter.Empty;
            tables &= tables - 1;
        }
        while (tables != 0);
    }

    /// <summary>Empties the filter. Costs what was installed.</summary>
    public void Clear() => Clear(0);

    /// <summary>Empties the tables for fetches.</summary>
    public void ClearFetches() => Clear(FirstFetchTable * WordsPerTable);

    private void Clear(int from)
    {
        for (int word = from; word < Words; word++)
        {
            ulong installed = _installed[word];
            if (installed == 0)
                continue;
            _installed[word] = 0;
            FilterSlot* slots = _slots + (word * 64);
            do
            {
                slots[BitOperations.TrailingZeroCount(installed)].Tag = TranslationFilter.Empty;
                installed &= installed - 1;
            }
            while (installed != 0);
        }
    }

    /// <summary>Removes the write slots of all banks that lead to a backing page.</summary>
    /// <param name="backing">The address of the frame in our own memory.</param>
    public void RevokeWrites(ulong backing)
    {
        for (int table = 1; table < FirstFetchTable; table += 2)
        {
            for (int word = table * WordsPerTable; word < (table + 1) * WordsPerTable; word++)
            {
                for (ulong installed = _installed[word]; installed != 0; installed &= installed - 1)
                {
                    FilterSlot* slot = _slots + (word * 64) + BitOperations.TrailingZeroCount(installed);
                    if (slot->Payload + slot->Tag == backing)
                        slot->Tag = TranslationFilter.Empty;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Filter.Dispose();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void KillLarge(TlbArray* array, int entry, uint tables, ulong tag)
    {
        for (; tables != 0; tables &= tables - 1)
            KillLarge(array, entry, BitOperations.TrailingZeroCount(tables), Tag.Address(tag), Tag.Size(tag));
        if (array->SlotIndices != null)
            new Span<ulong>(array->SlotIndices + ((uint)entry * WordsPerTable), WordsPerTable).Clear();
    }

    private void KillLarge(TlbArray* array, int entry, int table, ulong page, PageSize size)
    {
        for (int word = 0; word < WordsPerTable; word++)
        {
            // Without indices of its own (nothing is evicted, so this is rare) the entry looks through all slots installed.
            ulong indices = _installed[(table * WordsPerTable) + word];
            if (array->SlotIndices != null)
                indices &= array->SlotIndices[((uint)entry * WordsPerTable) + word];
            for (; indices != 0; indices &= indices - 1)
            {
                FilterSlot* slot = _slots + (table * TranslationFilter.Slots) + (word * 64) + BitOperations.TrailingZeroCount(indices);
                if (((slot->Tag ^ page) >> size.Shift()) == 0)
                    slot->Tag = TranslationFilter.Empty;
            }
        }
    }
}
