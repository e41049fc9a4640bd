using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Takes one event through its gate in the IDT to the first instruction of the handler. SDM 3, "Exception and Interrupt Handling in 64-bit Mode".</summary>
internal static class InterruptGate
{
    /// <summary>Delivers an event of 64-bit or compatibility mode.</summary>
    /// <returns>False with the fault recorded; no register has changed.</returns>
    public static bool TryEnter(Vcpu vcpu, in PendingEvent pending)
    {
        if (!TryReadGate(vcpu, pending, out SegmentDescriptor gate, out ulong upper)
            || !CodeSegments.CheckGate(vcpu, gate.GateSelector, pending.ExternalBit, out SegmentDescriptor code))
            return false;
        ushort selector = gate.GateSelector;
        SystemState system = vcpu.System;
        int cpl = code.IsConforming ? system.Cpl : code.Dpl;
        int interruptStack = gate.InterruptStack;
        ulong stack = vcpu.Registers.Rsp;
        if (interruptStack != 0 || cpl < system.Cpl)
        {
            int offset = interruptStack != 0 ? TaskState.InterruptStack(interruptStack) : TaskState.PrivilegedStack(cpl);
            if (!TaskState.TryReadStack(vcpu, offset, pending.ExternalBit, out stack))
                return false;
        }

        if (!vcpu.IsCanonical(stack))
            return vcpu.Faults.Raise(ExceptionVector.StackFault, pending.ExternalBit);
        ulong target = gate.GateOffset | (upper << 32);
        if (!CodeSegments.CheckOffset(vcpu, code, target, pending.ExternalBit))
            return false;
        if (!DescriptorTables.TrySetAccessed(vcpu, selector, code))
            return false;
        stack &= ~0xFUL;
        if (!TryPushFrame(vcpu, pending, stack, cpl, out ulong top))
            return false;
        Commit(vcpu, gate, code.ToRegister(Selectors.WithRpl(selector, cpl)), cpl, target, top);
        return true;
    }

    private static bool TryReadGate(Vcpu vcpu, in PendingEvent pending, out SegmentDescriptor gate, out ulong upper)
    {
        gate = default;
        upper = 0;
        uint errorCode = ((uint)pending.Vector << 3) | EventGate.InIdt | pending.ExternalBit;
        DescriptorTableRegister idtr = vcpu.System.Idtr;
        uint offset = (uint)pending.Vector * 16;
        if (offset + 15 > idtr.Limit)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        if (!vcpu.Data.TryReadImplicit(idtr.Base + offset, out UInt128 value))
            return false;
        gate = new SegmentDescriptor((ulong)value);
        upper = (ulong)(value >> 64);
        bool isGate = gate.IsSystem && gate.Type is SegmentDescriptor.InterruptGate or SegmentDescriptor.TrapGate;
        if (!isGate || (pending.ChecksGatePrivilege && gate.Dpl < vcpu.System.Cpl))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        return gate.IsPresent || vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
    }

    private static bool TryPushFrame(Vcpu vcpu, in PendingEvent pending, ulong stack, int cpl, out ulong top)
    {
        ulong flags = (ulong)vcpu.Registers.Flags;
        if (pending.Resume)
            flags |= (ulong)RFlags.Resume;
        Span<ulong> words =
        [
            vcpu.System.Ss.Selector,
            vcpu.Registers.Rsp,
            flags,
            vcpu.System.Cs.Selector,
            pending.ReturnAddress,
            pending.ErrorCode,
        ];
        if (!pending.HasErrorCode)
            words = words[..^1];
        top = stack - ((ulong)words.Length * 8);

        // A stack is no system data structure: its accesses are explicit ones of the handler's level.
        return vcpu.Data.TryPushFrame(TransferStack.Long(stack), words, 8, vcpu.ModeAt(cpl));
    }

    private static void Commit(Vcpu vcpu, SegmentDescriptor gate, SegmentRegister code, int cpl, ulong target, ulong top)
    {
        const RFlags ClearedByInterruptGates = RFlags.InterruptEnable;
        const RFlags ClearedByAllGates = RFlags.Trap | RFlags.NestedTask | RFlags.Resume | RFlags.Virtual8086;
        vcpu.Registers.Rsp = top;
        RFlags cleared = gate.Type == SegmentDescriptor.InterruptGate ? ClearedByAllGates | ClearedByInterruptGates : ClearedByAllGates;
        vcpu.ClearSystemFlags(cleared);
        if (cpl != vcpu.System.Cpl)
            vcpu.System.Ss = SegmentDescriptor.Null((ushort)cpl);
        CodeSegments.Enter(vcpu, code, cpl, target);
    }
}
