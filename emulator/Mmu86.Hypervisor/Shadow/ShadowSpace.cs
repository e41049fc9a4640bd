namespace Mmu86.Hypervisor.Shadow;

/// <summary>The shadow tables of one root of the guest under one PCID. Kept while the guest uses others.</summary>
/// <param name="key">What they stand for.</param>
/// <param name="pcid">The processor's PCID for them: no other tables have it meanwhile. Not the guest's.</param>
internal sealed class ShadowSpace(ShadowKey key, ushort pcid)
{
    /// <summary>What the tables stand for.</summary>
    public ShadowKey Key { get; } = key;

    /// <summary>The processor's PCID for them.</summary>
    public ushort Pcid { get; } = pcid;

    /// <summary>The processor may remember more of them than they say: its PCID had other tables, or an entry lost rights. To be forgotten before they are used.</summary>
    public bool IsFlushDue { get; set; } = true;

    /// <summary>Up to which of the guest's demands they are in step: <see cref="ForgettingDemands.Last"/>.</summary>
    public ulong ObeyedDemand { get; set; }

    /// <summary>The highest table.</summary>
    public ShadowTable? Top { get; set; }

    /// <summary>Tables whose guest table was written since they were last in step with it.</summary>
    public List<ShadowTable> Stale { get; } = [];

    /// <summary>Counts up with each use, to tell which was left longest ago.</summary>
    public ulong LastUse { get; set; }
}
