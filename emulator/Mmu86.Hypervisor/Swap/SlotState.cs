namespace Mmu86.Hypervisor.Swap;

/// <summary>Where the bytes of a slot are.</summary>
internal enum SlotState : byte
{
    /// <summary>Nowhere: nobody owns the slot.</summary>
    Free,

    /// <summary>Compressed, in memory.</summary>
    Pooled,

    /// <summary>In a cluster that is gathered or written.</summary>
    Writing,

    /// <summary>As <see cref="Writing"/>, but the owner has freed the slot: it is given out again only when the write has ended, lest an old write land on a new page.</summary>
    Draining,

    /// <summary>On the device.</summary>
    OnDevice,

    /// <summary>In memory, because the write failed.</summary>
    Held,
}
