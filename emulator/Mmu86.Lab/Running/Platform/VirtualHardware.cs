using Mmu86.Hypervisor;

namespace Mmu86.Lab.Running.Platform;

/// <summary>What a machine has devices of because it is a virtual one.</summary>
/// <param name="Machine">The virtual machine.</param>
/// <param name="Disk">Its disk.</param>
/// <param name="DiskFolder">Where what is written to the disk goes.</param>
internal sealed record VirtualHardware(VirtualMachine Machine, DiskOptions Disk, string DiskFolder);
