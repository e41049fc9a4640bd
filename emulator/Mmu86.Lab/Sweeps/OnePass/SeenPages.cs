using System.Numerics;

namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>Which pages were ever referenced, and which of them left an array by invalidation: two bits a page.</summary>
/// <remarks>Grows with the address space touched, 32 bytes for 64 neighbouring pages, and shrinks when a space is forgotten.</remarks>
internal sealed class SeenPages
{
    private const int SmallestTableBits = 6;
    private const int PagesShift = 6;
    private const ulong PageInGroup = (1 << PagesShift) - 1;

    private Group[] _groups = new Group[1 << SmallestTableBits];
    private int _shift = 64 - SmallestTableBits;

    /// <summary>Pages seen.</summary>
    public long Count { get; private set; }

    /// <summary>Groups of 64 pages that are kept: what memory goes with.</summary>
    public int Groups { get; private set; }

    /// <summary>Notes a reference.</summary>
    /// <param name="page">The page's number.</param>
    /// <param name="space">The address space of its entry.</param>
    /// <param name="wasInvalidated">Whether the page was marked; it is no longer.</param>
    /// <returns>True for the first of this page.</returns>
    public bool Add(ulong page, uint space, out bool wasInvalidated)
    {
        ref Group group = ref Find(page, space);
        ulong bit = 1UL << (int)(page & PageInGroup);
        wasInvalidated = (group.Invalidated & bit) != 0;
        group.Invalidated &= ~bit;
        bool isFirst = (group.Seen & bit) == 0;
        group.Seen |= bit;
        Count += isFirst ? 1 : 0;
        return isFirst;
    }

    /// <summary>Notes how a page left the array.</summary>
    public void MarkInvalidated(ulong page, uint space) => Find(page, space).Invalidated |= 1UL << (int)(page & PageInGroup);

    /// <summary>Forgets all pages of a space. <see cref="Count"/> stays.</summary>
    public void Forget(uint space)
    {
        Group[] old = _groups;
        int kept = 0;
        foreach (ref Group group in old.AsSpan())
        {
            if (group.Space == space)
                group = default;
            kept += group.IsUsed ? 1 : 0;
        }

        Rebuild(old, Math.Max(1 << SmallestTableBits, (int)BitOperations.RoundUpToPowerOf2((uint)(kept + 1) * 2)));
    }

    private ref Group Find(ulong page, uint space)
    {
        ulong first = page >> PagesShift;
        for (int slot = Home(first, space); _groups[slot].IsUsed; slot = (slot + 1) & (_groups.Length - 1))
        {
            if (_groups[slot].First == first && _groups[slot].Space == space)
                return ref _groups[slot];
        }

        if ((Groups + 1) * 2 > _groups.Length)
            Rebuild(_groups, _groups.Length * 2);
        return ref Insert(new Group { First = first, Space = space, IsUsed = true });
    }

    private ref Group Insert(Group group)
    {
        int slot = Home(group.First, group.Space);
        while (_groups[slot].IsUsed)
            slot = (slot + 1) & (_groups.Length - 1);
        _groups[slot] = group;
        Groups++;
        return ref _groups[slot];
    }

    private void Rebuild(Group[] old, int length)
    {
        _groups = new Group[length];
        _shift = 64 - BitOperations.Log2((uint)length);
        Groups = 0;
        foreach (Group group in old)
        {
            if (group.IsUsed)
                Insert(group);
        }
    }

    private int Home(ulong first, uint space) =>
        (int)(unchecked((first + (space * 0xD1B5_4A32_D192_ED03)) * 0x9E37_79B9_7F4A_7C15) >> _shift);

    private struct Group
    {
        public ulong First;
        public ulong Seen;
        public ulong Invalidated;
        public uint Space;
        public bool IsUsed;
    }
}
