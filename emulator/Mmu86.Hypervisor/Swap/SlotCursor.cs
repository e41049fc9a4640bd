namespace Mmu86.Hypervisor.Swap;

/// <summary>Where an owner took its last slot: the next is looked for behind it.</summary>
internal struct SlotCursor
{
    /// <summary>The cluster, -1 before the first.</summary>
    public int Cluster;

    /// <summary>The place in the cluster behind the last slot.</summary>
    public int Next;

    /// <summary>Before the first slot.</summary>
    public static SlotCursor Start => new() { Cluster = -1 };
}
