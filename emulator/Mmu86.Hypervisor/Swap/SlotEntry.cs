namespace Mmu86.Hypervisor.Swap;

/// <summary>What is known of a slot.</summary>
internal struct SlotEntry
{
    /// <summary>Of the page, by <see cref="PageChecksum"/>.</summary>
    public ulong Checksum;

    /// <summary>The machine that owns it.</summary>
    public int Owner;

    /// <summary>How often it was given out.</summary>
    public uint Generation;

    /// <summary>Where its bytes are.</summary>
    public SlotState State;
}
