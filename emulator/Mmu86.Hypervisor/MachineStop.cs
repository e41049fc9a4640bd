using Mmu86.Cpu;

namespace Mmu86.Hypervisor;

/// <summary>Why a virtual machine does not run on by itself.</summary>
/// <param name="Exit">The VM exit.</param>
/// <param name="Memory">For an exit of nested paging, what its page lacks; <see cref="PopulateResult.Mapped"/> for all others.</param>
public readonly record struct MachineStop(VmExit Exit, PopulateResult Memory);
