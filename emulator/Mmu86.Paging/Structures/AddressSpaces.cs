using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What cached translations belong to: VPID, EPT root and PCID, each combination with the tags in force for it.</summary>
internal sealed class AddressSpaces
{
    /// <summary>In place of a PCID: global entries, which serve every PCID of the same VPID and root.</summary>
    public const ushort Global = 0x1000;

    /// <summary>In place of a PCID: CR0.PG=0.</summary>
    public const ushort NoPaging = 0x2000;

    /// <summary>In place of a PCID: guest-physical mappings, tagged by the EPT root alone.</summary>
    public const ushort GuestPhysical = 0x3000;

    /// <summary>How many combinations are kept before all are forgotten. Leaves tags enough between two sweeps.</summary>
    public const int Limit = Tag.Spaces * 3 / 4;

    private readonly Dictionary<Key, int> _indices = [];
    private Space[] _spaces = new Space[64];
    private ulong? _firstRoot;
    private bool _hasSeveralRoots;

    /// <summary>How many combinations are known.</summary>
    public int Count { get; private set; }

    /// <summary>One of them.</summary>
    public ref Space this[int index] => ref _spaces[index];

    /// <summary>Finds a combination.</summary>
    /// <returns>Its index, or -1.</returns>
    public int Find(ushort vpid, ulong root, ushort pcid) => _indices.TryGetValue(new Key(vpid, root, pcid), out int index) ? index : -1;

    /// <summary>The first combination of a VPID and a PCID, under any root.</summary>
    /// <returns>Its index, or -1.</returns>
    public int First(ushort vpid, ushort pcid) => _hasSeveralRoots ? Next(-1, vpid, pcid) : Find(vpid, _firstRoot ?? 0, pcid);

    /// <summary>The next combination of a VPID and a PCID, under another root.</summary>
    /// <returns>Its index, or -1.</returns>
    public int Next(int index, ushort vpid, ushort pcid)
    {
        if (!_hasSeveralRoots)
            return -1;
        for (index++; index < Count; index++)
        {
            if (_spaces[index].Vpid == vpid && _spaces[index].Pcid == pcid)
                return index;
        }

        return -1;
    }

    /// <summary>Adds a combination that is not known.</summary>
    /// <returns>Its index.</returns>
    public int Add(ushort vpid, ulong root, ushort pcid, uint tlbTag, uint structureTag)
    {
        if (Count == _spaces.Length)
            Array.Resize(ref _spaces, 2 * Count);
        if (pcid != GuestPhysical)
        {
            _firstRoot ??= root;
            _hasSeveralRoots |= root != _firstRoot;
        }

        int index = Count++;
        _indices.Add(new Key(vpid, root, pcid), index);
        _spaces[index] = new Space { Vpid = vpid, Root = root, Pcid = pcid, TlbTag = tlbTag, StructureTag = structureTag };
        return index;
    }

    /// <summary>Forgets every combination.</summary>
    public void Clear()
    {
        _indices.Clear();
        Count = 0;
        _firstRoot = null;
        _hasSeveralRoots = false;
    }

    /// <summary>One combination.</summary>
    internal struct Space
    {
        public ulong Root;
        public ushort Vpid;
        public ushort Pcid;

        /// <summary>The paging mode that its entries were made in.</summary>
        public GuestPagingMode Mode;

        /// <summary>The tag of its TLB entries.</summary>
        public uint TlbTag;

        /// <summary>The tag of its entries in the caches of partial walks.</summary>
        public uint StructureTag;
    }

    private readonly record struct Key(ushort Vpid, ulong Root, ushort Pcid);
}
