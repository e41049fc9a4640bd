namespace Mmu86.Hypervisor.Shadow;

/// <summary>When the guest last demanded that translations be forgotten, all or those of a PCID.</summary>
/// <remarks>Demands are numbered. Tables that are not in force need not obey before they are used again, and then once.</remarks>
internal sealed class ForgettingDemands
{
    private readonly Dictionary<ushort, ulong> _ofPcid = [];
    private ulong _ofAll;

    /// <summary>The number of the last demand.</summary>
    public ulong Last { get; private set; }

    /// <summary>The guest demands that everything be forgotten.</summary>
    public void AddForAll() => _ofAll = ++Last;

    /// <summary>The guest demands that something of a PCID of its own be forgotten.</summary>
    public void Add(ushort pcid) => _ofPcid[pcid] = ++Last;

    /// <summary>Whether there was a demand that concerns a PCID since one that was obeyed.</summary>
    public bool AnySince(ulong obeyed, ushort pcid) => Math.Max(_ofAll, _ofPcid.GetValueOrDefault(pcid)) > obeyed;
}
