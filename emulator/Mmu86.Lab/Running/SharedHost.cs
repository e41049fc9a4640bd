using Mmu86.Hypervisor;

namespace Mmu86.Lab.Running;

/// <summary>What machines share that run beside each other.</summary>
/// <param name="Host">The emulated host.</param>
/// <param name="Store">Where their swapped pages go; null where nothing is swapped.</param>
public sealed record SharedHost(VirtualHost Host, IPageStore? Store);
