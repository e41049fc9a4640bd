namespace Mmu86.Hypervisor;

/// <summary>The emulated host has no frame left for what a loader places: a refused configuration.</summary>
public sealed class HostMemoryExhaustedException : Exception
{
    /// <summary>Makes one.</summary>
    public HostMemoryExhaustedException()
        : base("The emulated host has too little memory for the guest's image and page tables.")
    {
    }
}
