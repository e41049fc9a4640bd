namespace Mmu86.Hypervisor.Shadow;

/// <summary>The shadow tables of one root of the guest. Kept while the guest uses others.</summary>
/// <param name="key">What they stand for.</param>
internal sealed class ShadowSpace(ShadowKey key)
{
    /// <summary>What the tables stand for.</summary>
    public ShadowKey Key { get; } = key;

    /// <summary>The highest table.</summary>
    public ShadowTable? Top { get; set; }

    /// <summary>Tables whose guest table was written since they were last in step with it.</summary>
    public List<ShadowTable> Stale { get; } = [];

    /// <summary>Counts up with each use, to tell which was left longest ago.</summary>
    public ulong LastUse { get; set; }
}
