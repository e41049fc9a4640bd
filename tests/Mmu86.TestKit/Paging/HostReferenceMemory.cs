using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>The live memory of an emulated host, for the reference walker.</summary>
public sealed class HostReferenceMemory(HostMemory memory) : IReferenceMemory
{
    /// <inheritdoc/>
    public ulong ReadEntry(HostPhysicalAddress address) =>
        memory.IsRam(address, sizeof(ulong)) ? memory.Read<ulong>(address) : ulong.MaxValue;
}
