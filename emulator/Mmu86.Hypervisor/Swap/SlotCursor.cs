using Mmu86.Memory;

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

    /// <summary>Writes it.</summary>
    public readonly void Save(StateWriter writer)
    {
        writer.Write(Cluster);
        writer.Write(Next);
    }

    /// <summary>Reads it back.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="clusters">Clusters of the device.</param>
    public void Load(StateReader reader, int clusters)
    {
        Cluster = reader.ReadInt32("cursorCluster", -1, clusters - 1);
        Next = reader.ReadInt32("cursorNext", 0, SlotAllocator.ClusterSlots);
    }
}
