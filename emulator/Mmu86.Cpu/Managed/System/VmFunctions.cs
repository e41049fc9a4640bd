using Iced.Intel;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>VMFUNC. SDM 3, "VM Functions".</summary>
internal static class VmFunctions
{
    private const uint LastFunction = 63;
    private const uint EptpSwitching = 0;

    /// <summary>VMFUNC: of any privilege; changes no register and no flag.</summary>
    public static ManagedOutcome Invoke(Vcpu vcpu, in Instruction instruction)
    {
        uint function = (uint)vcpu.Registers.Rax;
        if (vcpu.Mmu.Context.Nested is not { VmFunctions: true } controls || function > LastFunction)
            return Raise.InvalidOpcode(vcpu);
        return function == EptpSwitching && controls.EptpList is { } list && TrySwitch(vcpu, controls, list)
            ? ManagedOutcome.EndBlock
            : Leave(vcpu);
    }

    // SDM 3, "EPTP Switching".
    private static bool TrySwitch(Vcpu vcpu, NestedControls controls, HostPhysicalAddress list)
    {
        uint index = (uint)vcpu.Registers.Rcx;
        if (index >= NestedControls.ListEntries)
            return false;
        PagingContext context = vcpu.Mmu.Context;
        ulong eptp = vcpu.Bus.Memory.Read<ulong>(new HostPhysicalAddress(list.Value + (index * sizeof(ulong))));
        if (!vcpu.Mmu.AcceptsEptPointer(eptp) || EptPointer.Levels(eptp) != EptPointer.Levels(context.Eptp))
            return false;
        controls.EptpIndex = (ushort)index;
        if (context.Vpid == 0)
            vcpu.Mmu.InvalidateVpid(0);
        vcpu.ContextChanged(eptp, context.Vpid);
        return true;
    }

    // RIP stays at the instruction.
    private static ManagedOutcome Leave(Vcpu vcpu)
    {
        vcpu.RequestedExit = new VmExit { Reason = VmExitReason.VmFunction };
        return ManagedOutcome.Refused;
    }
}
