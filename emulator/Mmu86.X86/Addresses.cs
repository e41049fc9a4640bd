namespace Mmu86.X86;

/// <summary>An address after segmentation and before paging.</summary>
public readonly record struct LinearAddress(ulong Value)
{
    /// <summary>The 4 KiB page that holds this address.</summary>
    public PageNumber Page => new(Value >> 12);

    /// <inheritdoc/>
    public override string ToString() => $"L:0x{Value:x}";
}

/// <summary>An address after paging: what the guest believes to be physical. With native paging it is host-physical too.</summary>
public readonly record struct GuestPhysicalAddress(ulong Value)
{
    /// <summary>The 4 KiB guest frame that holds this address.</summary>
    public GuestFrameNumber Frame => new(Value >> 12);

    /// <inheritdoc/>
    public override string ToString() => $"G:0x{Value:x}";
}

/// <summary>An address in the memory of the emulated host, after EPT where EPT is on.</summary>
public readonly record struct HostPhysicalAddress(ulong Value)
{
    /// <summary>The 4 KiB host frame that holds this address.</summary>
    public HostFrameNumber Frame => new(Value >> 12);

    /// <inheritdoc/>
    public override string ToString() => $"H:0x{Value:x}";
}

/// <summary>The number of a 4 KiB page of linear space: the linear address divided by 4096.</summary>
public readonly record struct PageNumber(ulong Value)
{
    /// <summary>The first address of the page.</summary>
    public LinearAddress Address => new(Value << 12);
}

/// <summary>The number of a 4 KiB unit of guest-physical space.</summary>
public readonly record struct GuestFrameNumber(ulong Value)
{
    /// <summary>The first address of the frame.</summary>
    public GuestPhysicalAddress Address => new(Value << 12);
}

/// <summary>The number of a 4 KiB unit of host-physical space.</summary>
public readonly record struct HostFrameNumber(ulong Value)
{
    /// <summary>The first address of the frame.</summary>
    public HostPhysicalAddress Address => new(Value << 12);
}
