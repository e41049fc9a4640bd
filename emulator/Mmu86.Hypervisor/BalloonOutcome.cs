namespace Mmu86.Hypervisor;

/// <summary>What became of frames that a guest gave to its balloon.</summary>
public record struct BalloonOutcome
{
    /// <summary>Frames that are in the balloon now.</summary>
    public uint Taken { get; set; }

    /// <summary>Numbers of no frame of the guest's RAM: beyond its end, or in the device hole.</summary>
    public uint OutsideMemory { get; set; }

    /// <summary>Frames that were in the balloon already.</summary>
    public uint Repeated { get; set; }

    /// <summary>Frames that stay what they were, as the host had none for a table in which their state could be kept.</summary>
    public uint WithoutTable { get; set; }
}
