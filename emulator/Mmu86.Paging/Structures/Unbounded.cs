using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>How an array without bounds finds and places entries: an open-addressing index over entries that keep their number.</summary>
internal unsafe struct Unbounded
{
    private const int FirstCapacity = 1024;

    // Bucket: entry + 1, or 0. Twice as many buckets as entries keeps probes short.
    private int* _buckets;
    private int* _next;
    private int _capacity;
    private int _freeList;

    /// <summary>Entries in use, dead ones included.</summary>
    public int Count { get; private set; }

    /// <summary>One past the highest entry ever used.</summary>
    public int Top { get; private set; }

    /// <summary>Whether there is no room for another entry.</summary>
    public readonly bool IsFull => Count == _capacity;

    private readonly int Mask => (2 * _capacity) - 1;

    /// <summary>Makes room for the first entries.</summary>
    /// <returns>The capacity.</returns>
    public int Initialize(Arena arena)
    {
        _capacity = FirstCapacity;
        _buckets = arena.Allocate<int>(2L * _capacity);
        _next = arena.Allocate<int>(_capacity);
        return _capacity;
    }

    /// <summary>Doubles the room. Entries keep their numbers.</summary>
    /// <returns>The new capacity.</returns>
    public int Grow(Arena arena, ulong* tags)
    {
        int old = _capacity;
        _capacity = checked(old * 2);
        _next = arena.Grow(_next, old, _capacity);
        _buckets = arena.Grow(_buckets, 2L * old, 2L * _capacity);
        new Span<int>(_buckets, 2 * _capacity).Clear();
        for (int entry = 0; entry < Top; entry++)
        {
            if (tags[entry] != 0)
                Enter(tags, tags[entry], entry);
        }

        return _capacity;
    }

    /// <summary>The entry that carries a tag, or -1.</summary>
    public readonly int Find(ulong* tags, ulong tag)
    {
        for (int bucket = Home(tag); ; bucket = (bucket + 1) & Mask)
        {
            int entry = _buckets[bucket] - 1;
            if (entry < 0 || tags[entry] == tag)
                return entry;
        }
    }

    /// <summary>Takes a free entry.</summary>
    public int Take()
    {
        Count++;
        if (_freeList == 0)
            return Top++;
        int entry = _freeList - 1;
        _freeList = _next[entry];
        return entry;
    }

    /// <summary>Lets an entry be found by its tag.</summary>
    public readonly void Enter(ulong* tags, ulong tag, int entry)
    {
        int bucket = Home(tag);
        while (_buckets[bucket] != 0)
            bucket = (bucket + 1) & Mask;
        _buckets[bucket] = entry + 1;
    }

    /// <summary>Frees an entry; its tag must still be in place.</summary>
    public void Leave(ulong* tags, int entry)
    {
        int hole = Home(tags[entry]);
        while (_buckets[hole] != entry + 1)
            hole = (hole + 1) & Mask;
        // Moves later members of the run back so that no probe stops short of them.
        for (int bucket = (hole + 1) & Mask; _buckets[bucket] != 0; bucket = (bucket + 1) & Mask)
        {
            int home = Home(tags[_buckets[bucket] - 1]);
            if (((bucket - home) & Mask) < ((bucket - hole) & Mask))
                continue;
            _buckets[hole] = _buckets[bucket];
            hole = bucket;
        }

        _buckets[hole] = 0;
        _next[entry] = _freeList;
        _freeList = entry + 1;
        Count--;
        if (Count == 0)
        {
            Top = 0;
            _freeList = 0;
        }
    }

    /// <summary>Writes which entries are free, in the order in which they will be taken.</summary>
    public readonly void Save(StateWriter writer)
    {
        writer.Write(Top);
        writer.Write(Count);
        for (int entry = _freeList; entry != 0; entry = _next[entry - 1])
            writer.Write(entry);
    }

    /// <summary>Reads them back.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="tags">The tags of the entries, all in place; as many as the capacity.</param>
    public void Load(StateReader reader, ulong* tags)
    {
        Top = reader.ReadInt32("top", 0, _capacity);
        Count = reader.ReadInt32("count", 0, Top);
        for (int entry = 0; entry < _capacity; entry++)
        {
            if (entry >= Top && tags[entry] != 0)
                throw reader.Refuse("top", $"is {Top}, and entry {entry} is in use");
            if (tags[entry] != 0)
                Enter(tags, tags[entry], entry);
        }

        int* link = null;
        for (int left = Top - Count; left > 0; left--)
        {
            int entry = reader.ReadInt32("free", 1, Top);
            if (tags[entry - 1] != 0 || _next[entry - 1] != 0)
                throw reader.Refuse("free", $"names entry {entry - 1}, which is not free");
            // Marked as seen till its successor is known; the last one ends the list.
            _next[entry - 1] = int.MaxValue;
            if (link == null)
                _freeList = entry;
            else
                *link = entry;
            link = _next + entry - 1;
        }

        if (link != null)
            *link = 0;
        for (int entry = 0, free = 0; entry < Top; entry++)
        {
            free += tags[entry] == 0 ? 1 : 0;
            if (free > Top - Count)
                throw reader.Refuse("count", $"is {Count}, and more entries are free");
        }
    }

    private readonly int Home(ulong tag) => (int)((tag * 0x9E37_79B9_7F4A_7C15) >> 33) & Mask;
}
