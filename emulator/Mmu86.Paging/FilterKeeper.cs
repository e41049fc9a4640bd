using System.Numerics;
using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Installs slots of the translation filter and kills them: the only writer of the filter.</summary>
/// <remarks>
/// A slot lives only while a lookup of its page would be a hit of the modelled first level that changes nothing in the model. So
/// whoever changes a modelled entry calls <see cref="Kill"/> in the same call. A slot killed without need costs one slow lookup; a slot
/// left over would be a wrong count or a wrong translation. That is why kills never ask who owns a slot: what hits the page dies.
/// </remarks>
internal sealed unsafe class FilterKeeper : IDisposable
{
    /// <summary>The number of the first fetch table; the data tables come before it, two a bank.</summary>
    public const int FirstFetchTable = 2 * TranslationFilter.Banks;

    private const int Tables = FirstFetchTable + 2;

    private readonly FilterSlot* _slots;
    private readonly int _slotCount;
    private readonly int _slotShift;
    private readonly uint _indexMask;

    // Bit n: slot n was filled since the filter was emptied. The slots of all tables are numbered through.
    private readonly ulong* _installed;

    // Bit n: word n of _installed is not zero. So that looking through a filter costs what is in it, not its size.
    private readonly ulong* _installedWords;

    /// <summary>Makes the keeper of an empty filter.</summary>
    /// <param name="arena">Where its notes lie.</param>
    /// <param name="slots">Slots of each table (<see cref="TranslationFilter(int)"/>).</param>
    public FilterKeeper(Arena arena, int slots)
    {
        Filter = new TranslationFilter(slots);
        _slots = Filter.DataTable(AccessMode.User);
        _slotCount = slots;
        _slotShift = BitOperations.Log2((uint)slots);
        _indexMask = (uint)slots - 1;
        _installed = arena.Allocate<ulong>(Words);
        _installedWords = arena.Allocate<ulong>((Words + 63) / 64);
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
        uint number = ((uint)table << _slotShift) | ((uint)(page >> 12) & _indexMask);
        // SAFETY: table < Tables and the index < Slots; the tables lie one after the other in the filter's reservation.
        FilterSlot* slot = _slots + number;
        slot->Tag = FilterSlot.TagOf(page);
        slot->Payload = payload;
        lane->SlotTables[entry] |= (byte)(1 << table);
        // Between two times that the filter is emptied a slot is filled often and noted once.
        if (((_installed[number >> 6] >> (int)number) & 1) == 0)
            NoteInstalled(number);
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
        // Whose slot it is is not asked: to compare costs more on every change of the most recent entry than the rare slot of another page
        // that goes without need.
        uint index = (uint)(tag >> Tag.PageNumberShift) & _indexMask;
        _slots[((uint)BitOperations.TrailingZeroCount(tables) << _slotShift) | index].Tag = TranslationFilter.Empty;
    }

    /// <summary><see cref="Kill"/> of an entry that has slots.</summary>
    public void KillInstalled(TlbArray* array, int entry)
    {
        uint tables = array->SlotTables[entry];
        array->SlotTables[entry] = 0;
        ulong tag = array->Entries.Tags[entry];
        if (Tag.Size(tag) != PageSize.Size4K)
        {
            if (Tag.Size(tag) == Tag.Group)
                KillGroup(tables, Tag.Address(tag, array->LaneGroup->Shift), array->LaneGroup->Pages);
            else
                KillLarge(tables, tag);
            return;
        }

        KillPage(tables, Tag.Address(tag));
    }

    /// <summary>Empties the filter. Costs what was installed.</summary>
    public void Clear() => Clear(0);

    /// <summary>Empties the tables for fetches.</summary>
    public void ClearFetches() => Clear(FirstFetchTable * WordsPerTable);

    /// <summary>Removes the write slots of all banks that lead to a backing page.</summary>
    /// <param name="backing">The address of the frame in our own memory.</param>
    public void RevokeWrites(ulong backing)
    {
        for (int table = 1; table < FirstFetchTable; table += 2)
        {
            int end = (table + 1) * WordsPerTable;
            for (int word = NextWord(table * WordsPerTable, end); word < end; word = NextWord(word + 1, end))
            {
                for (ulong installed = _installed[word]; installed != 0; installed &= installed - 1)
                {
                    FilterSlot* slot = _slots + ((uint)word * 64) + BitOperations.TrailingZeroCount(installed);
                    if (slot->Payload + slot->Tag == FilterSlot.TagOf(backing))
                        slot->Tag = TranslationFilter.Empty;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Filter.Dispose();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void NoteInstalled(uint number)
    {
        _installedWords[number >> 12] |= 1UL << (int)(number >> 6);
        _installed[number >> 6] |= 1UL << (int)number;
    }

    private int WordsPerTable => _slotCount / 64;

    private int Words => Tables * WordsPerTable;

    private void Clear(int from)
    {
        int end = Words;
        for (int word = NextWord(from, end); word < end; word = NextWord(word + 1, end))
        {
            FilterSlot* slots = _slots + ((uint)word * 64);
            for (ulong installed = _installed[word]; installed != 0; installed &= installed - 1)
                slots[BitOperations.TrailingZeroCount(installed)].Tag = TranslationFilter.Empty;
            _installed[word] = 0;
            _installedWords[word >> 6] &= ~(1UL << word);
        }
    }

    // The first word of _installed from one on that is not zero, or any number not below the end.
    private int NextWord(int from, int end)
    {
        if (from >= end)
            return end;
        int group = from >> 6;
        ulong words = _installedWords[group] & (ulong.MaxValue << from);
        while (words == 0)
        {
            if (++group << 6 >= end)
                return end;
            words = _installedWords[group];
        }

        return (group << 6) + BitOperations.TrailingZeroCount(words);
    }

    // The slots of one 4 KiB page in some tables.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void KillPage(uint tables, ulong page)
    {
        FilterSlot* slots = _slots + ((uint)(page >> 12) & _indexMask);
        do
        {
            FilterSlot* slot = slots + ((uint)BitOperations.TrailingZeroCount(tables) * (uint)_slotCount);
            if (slot->Tag == FilterSlot.TagOf(page))
                slot->Tag = TranslationFilter.Empty;
            tables &= tables - 1;
        }
        while (tables != 0);
    }

    // A coalesced entry has few pages: each of them, in each table that any of them has a slot in.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void KillGroup(uint tables, ulong page, int pages)
    {
        for (int i = 0; i < pages; i++)
            KillPage(tables, page + ((ulong)i << 12));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void KillLarge(uint tables, ulong tag)
    {
        ulong page = Tag.Address(tag);
        PageSize size = Tag.Size(tag);
        for (; tables != 0; tables &= tables - 1)
        {
            // The slots of a page lie side by side, and those of one that has more pages than the table has slots are all of it.
            int slots = (int)Math.Min((ulong)_slotCount, size.Bytes() >> 12);
            int first = (BitOperations.TrailingZeroCount(tables) * _slotCount) + (int)((uint)(page >> 12) & _indexMask);
            int end = (first + slots) / 64;
            for (int word = NextWord(first / 64, end); word < end; word = NextWord(word + 1, end))
                KillLarge(word, page, size);
        }
    }

    // Forgets what it finds empty, so that the next large page in these slots does not look at it again.
    private void KillLarge(int word, ulong page, PageSize size)
    {
        FilterSlot* slots = _slots + ((uint)word * 64);
        ulong live = _installed[word];
        for (ulong installed = live; installed != 0; installed &= installed - 1)
        {
            FilterSlot* slot = slots + BitOperations.TrailingZeroCount(installed);
            if (((slot->Tag ^ page) >> size.Shift()) == 0)
                slot->Tag = TranslationFilter.Empty;
            if (slot->Tag == TranslationFilter.Empty)
                live &= ~(installed & (0 - installed));
        }

        _installed[word] = live;
        if (live == 0)
            _installedWords[word >> 6] &= ~(1UL << word);
    }
}
