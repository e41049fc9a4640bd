namespace Mmu86.Hypervisor.Replacement;

/// <summary>What the books say of one frame. 12 bytes; all zeros say that it is not known.</summary>
internal struct FrameSlot
{
    // One more than the list, so that zero is none.
    private ushort _listAndOne;

    /// <summary>LRU: its age bits. Others: the list of a pinned frame.</summary>
    public byte Age;

    /// <summary>See <see cref="FrameFlags"/>.</summary>
    public FrameFlags Flags;

    /// <summary>The next newer in its list. Random and OPT: its place in their array.</summary>
    public int Newer;

    /// <summary>The next older in its list.</summary>
    public int Older;

    /// <summary>Its list, or <see cref="FrameTable.NoList"/>.</summary>
    public ushort List
    {
        readonly get => unchecked((ushort)(_listAndOne - 1));
        set => _listAndOne = unchecked((ushort)(value + 1));
    }

    /// <summary>Whether the books know it: as resident, or as a ghost, which is always in a list.</summary>
    public readonly bool IsKnown => (Flags & FrameFlags.Resident) != 0 || _listAndOne != 0;
}
