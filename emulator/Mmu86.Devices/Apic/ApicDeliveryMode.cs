namespace Mmu86.Devices;

/// <summary>What an interrupt message asks of its destination. The values are those of the ICR, the LVT and the redirection table.</summary>
public enum ApicDeliveryMode
{
    /// <summary>The interrupt of the vector.</summary>
    Fixed = 0,

    /// <summary>The interrupt of the vector, at one of the destinations.</summary>
    LowestPriority = 1,

    /// <summary>A system-management interrupt.</summary>
    SystemManagement = 2,

    /// <summary>A non-maskable interrupt.</summary>
    NonMaskable = 4,

    /// <summary>INIT.</summary>
    Init = 5,

    /// <summary>Start-up at the page of the vector.</summary>
    StartUp = 6,

    /// <summary>An interrupt whose vector the 8259 pair tells.</summary>
    External = 7,
}
