using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>#VE: an EPT violation that the guest takes itself. SDM 3, "Virtualization Exceptions".</summary>
internal static class VirtualizationException
{
    private const uint EptViolationReason = 48;
    private const uint Busy = 0xFFFF_FFFF;

    /// <summary>Whether a violation that an instruction met becomes #VE; then the information area is written.</summary>
    /// <param name="vcpu">The CPU. It is not delivering an event: such a violation is a VM exit always.</param>
    /// <param name="violation">What the MMU answered.</param>
    public static bool TryConvert(Vcpu vcpu, in TranslationFault violation)
    {
        if (!violation.IsConvertible || (vcpu.System.Cr0 & Cr0.ProtectionEnable) == 0)
            return false;
        NestedControls controls = vcpu.Mmu.Context.Nested!;
        ulong area = controls.VirtualizationExceptionArea!.Value.Value;
        HostMemory memory = vcpu.Bus.Memory;
        if (memory.Read<uint>(new HostPhysicalAddress(area + 4)) != 0)
            return false;
        memory.Write(new HostPhysicalAddress(area), EptViolationReason);
        memory.Write(new HostPhysicalAddress(area + 4), Busy);
        memory.Write(new HostPhysicalAddress(area + 8), (ulong)violation.Qualification);
        memory.Write(new HostPhysicalAddress(area + 16), violation.Linear.Value);
        memory.Write(new HostPhysicalAddress(area + 24), violation.GuestPhysical.Value);
        memory.Write(new HostPhysicalAddress(area + 32), controls.EptpIndex);
        return true;
    }
}
