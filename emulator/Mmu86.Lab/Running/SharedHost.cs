using Mmu86.Hypervisor;

namespace Mmu86.Lab.Running;

/// <summary>What a machine is given that runs beside others.</summary>
/// <param name="Host">The emulated host.</param>
/// <param name="Store">Where a machine's swapped pages go; null where nothing is swapped.</param>
/// <param name="Residency">Told which of its frames are resident; null for nobody.</param>
public sealed record SharedHost(VirtualHost Host, IPageStore? Store, IResidencyObserver? Residency)
{
    /// <summary>The folder where files without a name are made for what is written to machines' disks.</summary>
    public string DiskFolder { get; init; } = Path.GetTempPath();
}
