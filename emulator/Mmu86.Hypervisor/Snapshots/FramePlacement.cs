namespace Mmu86.Hypervisor.Snapshots;

/// <summary>Which frames of the host a restored machine gets.</summary>
public enum FramePlacement
{
    /// <summary>Those that it had: the host is the machine's alone and was restored with it.</summary>
    Same,

    /// <summary>Those that the host has to give, beside other machines.</summary>
    Other,
}
