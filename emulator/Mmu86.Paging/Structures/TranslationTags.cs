using System.Diagnostics;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Gives every address space its tags, and takes them away: how whole spaces are invalidated.</summary>
internal sealed class TranslationTags
{
    private readonly TagPool _tlbPool;
    private readonly TagPool _structurePool;
    private readonly TlbLevel[] _levels;
    private readonly StructureCaches _caches;

    /// <summary>Makes the tags of an MMU without any space.</summary>
    /// <param name="tlbPool">The tags of TLB entries.</param>
    /// <param name="levels">The levels whose entries die with a TLB tag.</param>
    /// <param name="structurePool">The tags of entries in caches of partial walks.</param>
    /// <param name="caches">The caches whose entries die with a structure tag.</param>
    public TranslationTags(TagPool tlbPool, TlbLevel[] levels, TagPool structurePool, StructureCaches caches)
    {
        _tlbPool = tlbPool;
        _levels = levels;
        _structurePool = structurePool;
        _caches = caches;
    }

    /// <summary>One that is told of every space whose TLB entries go; null for nobody.</summary>
    public IRemovalObserver? Removals { get; set; }

    /// <summary>The spaces known.</summary>
    public AddressSpaces Spaces { get; } = new();

    /// <summary>The index of a space, which is added if it is new. The caller made room (<see cref="HasRoom"/>).</summary>
    /// <remarks>
    /// What another paging mode left in it goes: entries of one format mean nothing in another, and a processor may drop any entry at
    /// any time. Only a change of mode without the invalidations that the manual demands of it finds any.
    /// </remarks>
    public int Enter(ushort vpid, ulong root, ushort pcid, GuestPagingMode mode)
    {
        int index = Spaces.Find(vpid, root, pcid);
        if (index < 0)
        {
            Debug.Assert(Spaces.Count < AddressSpaces.Limit);
            index = Spaces.Add(vpid, root, pcid, TakeTlbTag(), TakeStructureTag());
        }
        else if (Spaces[index].Mode != mode)
        {
            InvalidateTlb(index);
            InvalidateStructures(index);
        }

        Spaces[index].Mode = mode;
        return index;
    }

    /// <summary>Whether that many spaces can be entered.</summary>
    public bool HasRoom(int count) => Spaces.Count + count <= AddressSpaces.Limit;

    /// <summary>Invalidates every TLB entry of a space.</summary>
    public void InvalidateTlb(int index)
    {
        uint tag = Spaces[index].TlbTag;
        Removals?.SpaceRemoved(tag);
        ulong count = 0;
        foreach (TlbLevel level in _levels)
            count += level.Bury(tag);
        if (count == 0)
            return;
        _tlbPool.Retire(tag);
        Spaces[index].TlbTag = TakeTlbTag();
    }

    /// <summary>Invalidates every entry of a space in the caches of partial walks.</summary>
    public void InvalidateStructures(int index)
    {
        uint tag = Spaces[index].StructureTag;
        if (_caches.Bury(tag) == 0)
            return;
        _structurePool.Retire(tag);
        Spaces[index].StructureTag = TakeStructureTag();
    }

    /// <summary>Invalidates everything and forgets every space. A processor may drop any entry at any time; this one does where it has seen too many spaces.</summary>
    public void ForgetAll()
    {
        for (int index = 0; index < Spaces.Count; index++)
        {
            InvalidateTlb(index);
            InvalidateStructures(index);
            _tlbPool.Retire(Spaces[index].TlbTag);
            _structurePool.Retire(Spaces[index].StructureTag);
        }

        Spaces.Clear();
    }

    /// <summary>Writes every space and its tags.</summary>
    public void Save(StateWriter writer, in AddressSpaces.OwnTags own)
    {
        _tlbPool.Save(writer);
        _structurePool.Save(writer);
        Spaces.Save(writer, own);
    }

    /// <summary>Reads them back. No structure holds an entry yet.</summary>
    public void Load(StateReader reader, in AddressSpaces.OwnTags own)
    {
        reader.Enter("tlbTags");
        _tlbPool.Load(reader);
        reader.Leave();
        reader.Enter("structureTags");
        _structurePool.Load(reader);
        reader.Leave();
        reader.Enter("spaces");
        Spaces.Load(reader, own, _tlbPool, _structurePool);
        reader.Leave();
    }

    private uint TakeTlbTag()
    {
        if (_tlbPool.NeedsSweep)
        {
            foreach (TlbLevel level in _levels)
                level.Sweep();
            _tlbPool.Swept();
        }

        return _tlbPool.Take();
    }

    private uint TakeStructureTag()
    {
        if (_structurePool.NeedsSweep)
        {
            _caches.Sweep();
            _structurePool.Swept();
        }

        return _structurePool.Take();
    }
}
