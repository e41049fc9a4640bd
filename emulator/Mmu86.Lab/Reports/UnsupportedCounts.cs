namespace Mmu86.Lab.Reports;

/// <summary>Requests of the guest that nobody answered: they are listed, because a guest may behave differently for them.</summary>
public sealed record UnsupportedCounts
{
    /// <summary>System calls answered with ENOSYS, by name or number, with how often.</summary>
    public IReadOnlyDictionary<string, long>? SystemCalls { get; init; }

    /// <summary>Accesses to ports that no device claims, by <c>0x...</c>.</summary>
    public IReadOnlyDictionary<string, long>? Ports { get; init; }

    /// <summary>Reads of physical addresses where neither RAM nor a device is.</summary>
    public long? MmioReads { get; init; }

    /// <summary>Writes of physical addresses where neither RAM nor a device is.</summary>
    public long? MmioWrites { get; init; }

    /// <summary>The same ports with reads, writes and who used them first.</summary>
    public IReadOnlyDictionary<string, UnclaimedUse>? PortAccesses { get; init; }

    /// <summary>Physical addresses where neither RAM nor a device is, likewise; the lowest hundreds of those used.</summary>
    public IReadOnlyDictionary<string, UnclaimedUse>? MmioAccesses { get; init; }

    /// <summary>Model-specific registers that the processor does not have, by number, likewise. Each such access was #GP(0).</summary>
    public IReadOnlyDictionary<string, UnclaimedUse>? ModelSpecificRegisters { get; init; }
}
