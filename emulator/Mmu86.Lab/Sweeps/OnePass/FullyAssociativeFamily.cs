using System.Numerics;

namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>All fully associative LRU arrays of 1 to some thousand entries, from one pass over the references to pages of one size.</summary>
/// <remarks>
/// <para>The stack of <see cref="LruFamily"/>, which says why holes keep it exact, of one set and any depth. A position of the stack is a slot, numbered
/// by the time at which it came to the front; a slot is an entry, a hole, or dead. The position of an entry is the number of entries and holes in
/// later slots. A reference makes a new slot for the page at the front, and one slot dies: the first hole where one is above the page's old slot,
/// which then becomes a hole itself; otherwise the old slot; otherwise, for a page not found, the last slot of a full stack. The positions above the
/// slot that dies move down by one and those below stay: the same as one move in the row.</para>
/// <para>What lies in later slots is counted by what is dead: slots come in order, so only deaths change a count. A Fenwick tree over words of 64 slots
/// holds them. When the slots are used up the live ones are numbered anew, once in several times the stack's size.</para>
/// </remarks>
public sealed class FullyAssociativeFamily : IPageIdHolder
{
    /// <summary>The largest array that a family can have.</summary>
    public const int EntriesLimit = 1 << 20;

    private const int WordBits = 64;
    private const int SlotsPerEntry = 4;
    private const int NoSlot = -1;

    private readonly int _mostEntries;
    private readonly uint[] _ids;
    private readonly ulong[] _dead;
    private readonly int[] _deadSums;
    private readonly ulong[] _holes;
    private readonly long[] _depths;
    private readonly PageIdTable _table;
    private readonly SeenPages _seen = new();
    private int[] _slots = new int[64];
    private int _top;
    private int _bottom;
    private int _count;
    private int _holeCount;

    /// <summary>Empty arrays.</summary>
    /// <param name="mostEntries">Entries of the largest array, 1 to <see cref="EntriesLimit"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is out of range.</exception>
    public FullyAssociativeFamily(int mostEntries) : this(mostEntries, new PageIdTable(Math.Clamp(mostEntries, 1, EntriesLimit)))
    {
    }

    internal FullyAssociativeFamily(int mostEntries, PageIdTable table)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(mostEntries, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mostEntries, EntriesLimit);
        _mostEntries = mostEntries;
        _table = table;
        int words = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(mostEntries * SlotsPerEntry / WordBits, 4));
        _ids = new uint[words * WordBits];
        _dead = new ulong[words];
        _deadSums = new int[words + 1];
        _holes = new ulong[words];
        _depths = new long[mostEntries];
    }

    /// <summary>Lookups so far.</summary>
    public long Lookups { get; private set; }

    /// <summary>Lookups of pages never referenced before.</summary>
    public long ColdMisses => _seen.Count;

    /// <summary>Lookups that the array of so many entries did not answer.</summary>
    /// <param name="entries">1 to the most.</param>
    public long Misses(int entries)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(entries, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(entries, _mostEntries);
        long hits = 0;
        foreach (long count in _depths.AsSpan(0, entries))
            hits += count;
        return Lookups - hits;
    }

    /// <summary>The misses of all sizes; element 0 is that of one entry.</summary>
    public long[] MissCurve()
    {
        var curve = new long[_mostEntries];
        long misses = Lookups;
        for (int i = 0; i < curve.Length; i++)
            curve[i] = misses -= _depths[i];
        return curve;
    }

    /// <summary>Lookups of one page, one after another.</summary>
    /// <param name="page">The page's number.</param>
    /// <param name="space">The address space of its entry.</param>
    /// <param name="repeats">How many, at least 1.</param>
    public void Access(ulong page, uint space, uint repeats)
    {
        ArgumentOutOfRangeException.ThrowIfZero(repeats);
        Lookups += repeats;
        _depths[0] += repeats - 1;
        uint id = _table.Find(page, space);
        if (id == 0)
            id = Name(page, space);
        int slot = _slots[_table.IndexOf(id)];
        if (slot != NoSlot)
        {
            int depth = _count - 1 - slot + DeadBefore(slot);
            _depths[depth]++;
            if (depth == 0)
                return;
            if (_holeCount > 0 && LastHole() is int hole && hole > slot)
            {
                EndHole(hole);
                Kill(hole);
                BeginHole(slot);
            }
            else
            {
                Kill(slot);
            }
        }
        else if (_holeCount > 0)
        {
            int hole = LastHole();
            EndHole(hole);
            Kill(hole);
        }
        else if (_count == _mostEntries)
        {
            DropBottom();
        }

        if (_top == _ids.Length)
            Renumber();
        Place(id, _top++);
        _count++;
    }

    /// <summary>Many lookups, in order.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A reference repeats no lookup; those before it were made.</exception>
    public void Access(ReadOnlySpan<PageReference> references)
    {
        foreach (ref readonly PageReference reference in references)
            Access(reference.Page, reference.Space, reference.Repeats);
    }

    /// <summary>An entry is invalidated wherever it is held.</summary>
    public void InvalidatePage(ulong page, uint space)
    {
        uint id = _table.Find(page, space);
        if (id != 0 && _slots[_table.IndexOf(id)] is int slot and not NoSlot)
            BeginHole(slot);
    }

    /// <summary>All entries of one address space are invalidated.</summary>
    public void InvalidateSpace(uint space)
    {
        for (int slot = _bottom; slot < _top; slot++)
        {
            if (_ids[slot] is uint id and not 0 && _table.SpaceOf(id) == space)
                BeginHole(slot);
        }
    }

    /// <summary>All entries are invalidated.</summary>
    public void InvalidateAll()
    {
        // A stack of nothing but holes does what an empty one does.
        foreach (uint id in _ids.AsSpan(_bottom, _top - _bottom))
        {
            if (id != 0)
                _slots[_table.IndexOf(id)] = NoSlot;
        }

        _holeCount = 0;
        _count = 0;
        _top = 0;
        Array.Clear(_ids);
        Array.Clear(_holes);
        ClearDead();
    }

    /// <summary>Invalidates a space and forgets that its pages were ever seen: its number may be used for another.</summary>
    public void RetireSpace(uint space)
    {
        InvalidateSpace(space);
        _table.Forget(space);
        _seen.Forget(space);
    }

    void IPageIdHolder.MarkHeld(Span<bool> isHeld)
    {
        foreach (uint id in _ids.AsSpan(_bottom, _top - _bottom))
        {
            if (id != 0)
                isHeld[_table.IndexOf(id)] = true;
        }
    }

    private uint Name(ulong page, uint space)
    {
        _seen.Add(page, space, out _);
        uint id = _table.Add(page, space, this);
        int index = _table.IndexOf(id);
        if (index >= _slots.Length)
            Array.Resize(ref _slots, _slots.Length * 2);
        _slots[index] = NoSlot;
        return id;
    }

    private void Place(uint id, int slot)
    {
        _ids[slot] = id;
        _slots[_table.IndexOf(id)] = slot;
    }

    private int DeadBefore(int slot)
    {
        int word = slot / WordBits;
        int sum = BitOperations.PopCount(_dead[word] & ((1UL << (slot % WordBits)) - 1));
        for (int i = word; i > 0; i &= i - 1)
            sum += _deadSums[i];
        return sum;
    }

    private void Kill(int slot)
    {
        _ids[slot] = 0;
        _count--;
        int word = slot / WordBits;
        _dead[word] |= 1UL << (slot % WordBits);
        for (int i = word + 1; i < _deadSums.Length; i += i & -i)
            _deadSums[i]++;
    }

    private void DropBottom()
    {
        while (_ids[_bottom] == 0)
            _bottom++;
        _slots[_table.IndexOf(_ids[_bottom])] = NoSlot;
        Kill(_bottom);
    }

    private void BeginHole(int slot)
    {
        _slots[_table.IndexOf(_ids[slot])] = NoSlot;
        _ids[slot] = 0;
        _holes[slot / WordBits] |= 1UL << (slot % WordBits);
        _holeCount++;
    }

    private void EndHole(int slot)
    {
        _holes[slot / WordBits] &= ~(1UL << (slot % WordBits));
        _holeCount--;
    }

    private int LastHole()
    {
        int word = _holes.AsSpan().LastIndexOfAnyExcept(0UL);
        return (word * WordBits) + BitOperations.Log2(_holes[word]);
    }

    // Live slots from 0 on, in the same order.
    private void Renumber()
    {
        int next = 0;
        for (int slot = _bottom; slot < _top; slot++)
        {
            ulong bit = 1UL << (slot % WordBits);
            if ((_dead[slot / WordBits] & bit) != 0)
                continue;
            bool isHole = (_holes[slot / WordBits] & bit) != 0;
            _holes[slot / WordBits] &= ~bit;
            if (isHole)
            {
                _ids[next] = 0;
                _holes[next / WordBits] |= 1UL << (next % WordBits);
            }
            else
            {
                Place(_ids[slot], next);
            }

            next++;
        }

        _top = next;
        _ids.AsSpan(next).Clear();
        ClearDead();
    }

    private void ClearDead()
    {
        Array.Clear(_dead);
        Array.Clear(_deadSums);
        _bottom = 0;
    }
}
