using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>Short names for (page, space): 32 bits instead of 96, so that sixteen of them are compared at once.</summary>
/// <remarks>An id is never 0. Its low bits are an index that is unique by itself; the bits above are the low bits of the space, by which
/// entries of one space are found without looking each up. Indexes are bounded: when the last is given out, the holder says which it still has,
/// and all others are given out anew. So the table's size depends on the arrays modelled and not on the length of the run.</remarks>
internal sealed class PageIdTable
{
    private const int SmallestIndexBits = 17;
    private const int SmallestTableBits = 10;

    private Entry[] _entries = new Entry[1 << SmallestTableBits];
    private int _shift = 64 - SmallestTableBits;
    private uint[] _spaces = new uint[1 << (SmallestTableBits - 1)];
    private readonly int _indexBits;

    // By index, whether it was held at the last collection. Indexes are given out in order, over these.
    private readonly bool[] _isHeld;
    private uint _nextIndex = 1;
    private int _count;

    /// <summary>An empty table.</summary>
    /// <param name="mostHeld">How many ids the holder has at most at any time.</param>
    public PageIdTable(int mostHeld) : this(mostHeld, SmallestIndexBits)
    {
    }

    /// <summary>An empty table of fewer indexes, which gives them out anew more often.</summary>
    internal PageIdTable(int mostHeld, int smallestIndexBits)
    {
        _indexBits = Math.Max(smallestIndexBits, BitOperations.Log2((uint)Math.Max(mostHeld, 1)) + 2);
        _isHeld = new bool[1 << _indexBits];
    }

    /// <summary>One more than the largest index that can be given out.</summary>
    public int IndexBound => 1 << _indexBits;

    /// <summary>Bits of an id that hold (a part of) its space.</summary>
    public uint SpaceMask => ~IndexMask;

    private uint IndexMask => (1u << _indexBits) - 1;

    /// <summary>What the <see cref="SpaceMask"/> bits are in ids of this space. Other spaces may have the same: ask <see cref="SpaceOf"/>.</summary>
    public uint SpaceBits(uint space) => space << _indexBits;

    /// <summary>The index of an id.</summary>
    public int IndexOf(uint id) => (int)(id & IndexMask);

    /// <summary>The space of an id.</summary>
    public uint SpaceOf(uint id) => _spaces[id & IndexMask];

    /// <summary>The id of a page, or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Find(ulong page, uint space)
    {
        // Multiplication by the golden ratio spreads neighbours evenly, so the first look nearly always decides.
        ref Entry entry = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_entries), (nint)Home(page, space, _shift));
        return entry.Page == page && entry.Space == space ? entry.Id : FindFurther(page, space);
    }

    /// <summary>Names a page that has no id.</summary>
    /// <returns>The id. Ids that the holder does not hold may have become ids of other pages.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public uint Add(ulong page, uint space, IPageIdHolder holder)
    {
        while (_nextIndex > IndexMask || _isHeld[_nextIndex])
        {
            if (_nextIndex > IndexMask)
                Collect(holder);
            else
                _nextIndex++;
        }

        uint index = _nextIndex++;
        if (index >= _spaces.Length)
            Array.Resize(ref _spaces, _spaces.Length * 2);
        _spaces[index] = space;
        if ((_count + 1) * 2 > _entries.Length)
            Rebuild(_entries.Length * 2);
        var entry = new Entry { Page = page, Space = space, Id = SpaceBits(space) | index };
        Insert(entry);
        return entry.Id;
    }

    /// <summary>Takes the names of a space's pages back; the holder must hold none of them.</summary>
    public void Forget(uint space)
    {
        foreach (ref Entry entry in _entries.AsSpan())
        {
            if (entry.Space == space)
                entry = default;
        }

        Rebuild(_entries.Length);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint FindFurther(ulong page, uint space)
    {
        Entry[] entries = _entries;
        for (int slot = Home(page, space, _shift); entries[slot].Id != 0; slot = (slot + 1) & (entries.Length - 1))
        {
            if (entries[slot].Page == page && entries[slot].Space == space)
                return entries[slot].Id;
        }

        return 0;
    }

    private void Insert(Entry entry)
    {
        int slot = Home(entry.Page, entry.Space, _shift);
        while (_entries[slot].Id != 0)
            slot = (slot + 1) & (_entries.Length - 1);
        _entries[slot] = entry;
        _count++;
    }

    private void Collect(IPageIdHolder holder)
    {
        Array.Clear(_isHeld);
        holder.MarkHeld(_isHeld);
        foreach (ref Entry entry in _entries.AsSpan())
        {
            if (!_isHeld[IndexOf(entry.Id)])
                entry = default;
        }

        Rebuild(_entries.Length);
        _nextIndex = 1;
    }

    private void Rebuild(int length)
    {
        Entry[] old = _entries;
        _entries = new Entry[length];
        _shift = 64 - BitOperations.Log2((uint)length);
        _count = 0;
        foreach (Entry entry in old)
        {
            if (entry.Id != 0)
                Insert(entry);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Home(ulong page, uint space, int shift) =>
        (int)(unchecked((page + (space * 0xD1B5_4A32_D192_ED03)) * 0x9E37_79B9_7F4A_7C15) >> shift);

    private struct Entry
    {
        public ulong Page;
        public uint Space;
        public uint Id;
    }
}
