namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>Tells why an array missed, by what a fully associative LRU array of as many entries does with the same references.</summary>
/// <remarks>
/// <para>The array that missed may have any policy; it tells nothing but that it missed. A page in the LRU array is there because nothing but the other's
/// sets or policy kept it out: a conflict. A page that is not was never referenced (compulsory), or left the LRU array last by an
/// invalidation, or was evicted from it (capacity). A page that the array lost to a conflict and that was invalidated later counts as invalidated:
/// its miss would have come to a fully associative array too.</para>
/// <para>Memory: the array and a bounded table of ids, and two bits for each page seen until <see cref="RetireSpace"/>.</para>
/// </remarks>
public sealed class MissClassifier : IPageIdHolder
{
    private readonly int _entries;
    private readonly PageIdTable _table;
    private readonly SeenPages _seen = new();

    // A ring of the entries held, by index; 0, which is no entry's, lies between the least recent (its Newer) and the most recent (its Older).
    private Link[] _links = new Link[64];
    private int _count;

    /// <summary>An empty array.</summary>
    /// <param name="entries">Entries of the array whose misses are to be told, 1 to <see cref="FullyAssociativeFamily.EntriesLimit"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is out of range.</exception>
    public MissClassifier(int entries) : this(entries, new PageIdTable(Math.Clamp(entries, 1, FullyAssociativeFamily.EntriesLimit)))
    {
    }

    internal MissClassifier(int entries, PageIdTable table)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(entries, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(entries, FullyAssociativeFamily.EntriesLimit);
        _entries = entries;
        _table = table;
    }

    /// <summary>A reference; to be told of every one that the array saw, in order, whether it hit or missed.</summary>
    /// <returns>The class of the miss, if the array missed.</returns>
    public MissClass Touch(ulong page, uint space)
    {
        uint id = _table.Find(page, space);
        if (id == 0)
            id = Name(page, space);
        int index = _table.IndexOf(id);
        if (_links[index].IsHeld)
        {
            if (_links[0].Older != index)
            {
                Unlink(index);
                LinkInFront(index);
            }

            return MissClass.Conflict;
        }

        _links[index].Page = page;
        _links[index].Space = space;
        MissClass missClass = _seen.Add(page, space, out bool wasInvalidated) ? MissClass.Compulsory
            : wasInvalidated ? MissClass.Invalidation
            : MissClass.Capacity;
        if (_count == _entries)
            Drop(_links[0].Newer);
        _count++;
        LinkInFront(index);
        return missClass;
    }

    /// <summary>An entry is invalidated.</summary>
    public void InvalidatePage(ulong page, uint space)
    {
        uint id = _table.Find(page, space);
        if (id != 0 && _table.IndexOf(id) is int index && _links[index].IsHeld)
            Invalidate(index);
    }

    /// <summary>All entries of one address space are invalidated.</summary>
    public void InvalidateSpace(uint space)
    {
        for (int index = _links[0].Newer; index != 0;)
        {
            int newer = _links[index].Newer;
            if (_links[index].Space == space)
                Invalidate(index);
            index = newer;
        }
    }

    /// <summary>All entries are invalidated.</summary>
    public void InvalidateAll()
    {
        while (_count > 0)
            Invalidate(_links[0].Newer);
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
        for (int index = _links[0].Newer; index != 0; index = _links[index].Newer)
            isHeld[index] = true;
    }

    private uint Name(ulong page, uint space)
    {
        uint id = _table.Add(page, space, this);
        if (_table.IndexOf(id) >= _links.Length)
            Array.Resize(ref _links, _links.Length * 2);
        return id;
    }

    private void Invalidate(int index)
    {
        _seen.MarkInvalidated(_links[index].Page, _links[index].Space);
        Drop(index);
    }

    private void Drop(int index)
    {
        Unlink(index);
        _links[index].IsHeld = false;
        _count--;
    }

    private void Unlink(int index)
    {
        ref Link link = ref _links[index];
        _links[link.Older].Newer = link.Newer;
        _links[link.Newer].Older = link.Older;
    }

    private void LinkInFront(int index)
    {
        int behind = _links[0].Older;
        ref Link link = ref _links[index];
        link.Newer = 0;
        link.Older = behind;
        link.IsHeld = true;
        _links[behind].Newer = index;
        _links[0].Older = index;
    }

    private struct Link
    {
        public ulong Page;
        public uint Space;
        public int Newer;
        public int Older;
        public bool IsHeld;
    }
}
