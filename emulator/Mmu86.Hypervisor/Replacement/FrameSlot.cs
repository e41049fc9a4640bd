namespace Mmu86.Hypervisor.Replacement;

/// <summary>What the books say of one frame. 32 bytes.</summary>
internal struct FrameSlot
{
    /// <summary>Whose it is; free slots have <see cref="FrameId.None"/>.</summary>
    public FrameId Id;

    /// <summary>WSClock: the time of its last use. OPT: the position of its next one.</summary>
    public ulong Stamp;

    /// <summary>The next newer in its list. Random and OPT: its place in their array.</summary>
    public int Newer;

    /// <summary>The next older in its list.</summary>
    public int Older;

    /// <summary>The next slot with the same hash, or the next free one.</summary>
    public int Chain;

    /// <summary>Its list, or <see cref="FrameTable.NoList"/>.</summary>
    public ushort List;

    /// <summary>LRU: its age bits. Others: the list of a pinned frame.</summary>
    public byte Age;

    /// <summary>See <see cref="FrameFlags"/>.</summary>
    public FrameFlags Flags;
}
