using Mmu86.Memory;
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

    /// <summary>Writes every combination. The machine's own VPID and root are not written: they are others where it is restored.</summary>
    /// <param name="writer">The state.</param>
    /// <param name="own">The machine's own.</param>
    public void Save(StateWriter writer, in OwnTags own)
    {
        writer.Write(Count);
        for (int index = 0; index < Count; index++)
        {
            ref Space space = ref _spaces[index];
            bool isOwnVpid = own.Has(space.Vpid, space.Pcid);
            bool isOwnRoot = space.Root == own.Root;
            writer.Write(space.Pcid);
            writer.Write(isOwnVpid);
            writer.Write(isOwnVpid ? (ushort)0 : space.Vpid);
            writer.Write(isOwnRoot);
            writer.Write(isOwnRoot ? 0 : space.Root);
            writer.Write((byte)space.Mode);
            writer.Write(space.TlbTag);
            writer.Write(space.StructureTag);
        }
    }

    /// <summary>Reads them back.</summary>
    public void Load(StateReader reader, in OwnTags own, TagPool tlbPool, TagPool structurePool)
    {
        Clear();
        int count = reader.ReadInt32("count", 0, Limit);
        for (int index = 0; index < count; index++)
        {
            ushort pcid = reader.ReadUInt16("pcid");
            bool isOwnVpid = reader.ReadBoolean("ownVpid");
            ushort vpid = reader.ReadUInt16("vpid");
            bool isOwnRoot = reader.ReadBoolean("ownRoot");
            ulong root = reader.ReadUInt64("root");
            var mode = (GuestPagingMode)reader.ReadByte("mode");
            uint tlbTag = reader.ReadUInt32("tlbTag");
            uint structureTag = reader.ReadUInt32("structureTag");
            if (!tlbPool.IsAlive(tlbTag) || !structurePool.IsAlive(structureTag))
                throw reader.Refuse("tlbTag", $"of space {index} is not in use");
            vpid = isOwnVpid ? own.Vpid : vpid;
            root = isOwnRoot ? own.Root : root;
            if (mode > GuestPagingMode.FiveLevel || Find(vpid, root, pcid) >= 0)
                throw reader.Refuse("pcid", $"of space {index} is there twice, or its mode is none");
            _spaces[Add(vpid, root, pcid, tlbTag, structureTag)].Mode = mode;
        }
    }

    /// <summary>What a machine has that another has not: its VPID and the root of its nested tables.</summary>
    /// <param name="Vpid">The VPID.</param>
    /// <param name="Root">The root, as <see cref="EptPointer.RootTag"/> gives it.</param>
    /// <param name="TagsGuestPhysical">Whether guest-physical mappings have the VPID too.</param>
    internal readonly record struct OwnTags(ushort Vpid, ulong Root, bool TagsGuestPhysical)
    {
        /// <summary>Whether the VPID of a combination is the machine's.</summary>
        public bool Has(ushort vpid, ushort pcid) => vpid == Vpid && (pcid != GuestPhysical || TagsGuestPhysical);
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
