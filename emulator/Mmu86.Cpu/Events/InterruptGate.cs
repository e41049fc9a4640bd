using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Takes one event through its gate in the IDT to the first instruction of the handler. SDM 3, "Exception and Interrupt Handling in 64-bit Mode".</summary>
internal static class InterruptGate
{
    private const uint InIdt = 2;

    /// <summary>Delivers an event.</summary>
    /// <returns>False where that faulted: the fault is recorded, with EXT as the event demands, and no register has changed.</returns>
    public static bool TryEnter(Vcpu vcpu, in PendingEvent pending)
    {
        if (TryEnterUnmarked(vcpu, pending))
            return true;

        // The MMU does not know of EXT: where the address of a table or stack was not canonical.
        PendingFault fault = vcpu.Faults.Pending;
        if (fault.Failure == TranslationFailure.NonCanonical)
            vcpu.Faults.Raise(fault.Vector, pending.ExternalBit);
        return false;
    }

    private static bool TryEnterUnmarked(Vcpu vcpu, in PendingEvent pending)
    {
        if (!TryReadGate(vcpu, pending, out SegmentDescriptor gate, out ulong upper)
            || !TryReadTarget(vcpu, pending, gate, out ushort selector, out SegmentDescriptor code))
            return false;
        SystemState system = vcpu.System;
        int cpl = code.IsConforming ? system.Cpl : code.Dpl;
        int interruptStack = (int)(gate.Value >> 32) & 7;
        ulong stack = vcpu.Registers.Rsp;
        if (interruptStack != 0 || cpl < system.Cpl)
        {
            int offset = interruptStack != 0 ? TaskState.InterruptStack(interruptStack) : TaskState.PrivilegedStack(cpl);
            if (!TaskState.TryReadStack(vcpu, offset, pending.ExternalBit, out stack))
                return false;
        }

        if (!Canonical.Is(stack))
            return vcpu.Faults.Raise(ExceptionVector.StackFault, pending.ExternalBit);
        ulong target = (gate.Value & 0xFFFF) | ((gate.Value >> 32) & 0xFFFF_0000) | (upper << 32);
        if (!Canonical.Is(target))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, pending.ExternalBit);
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
        uint errorCode = ((uint)pending.Vector << 3) | InIdt | pending.ExternalBit;
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

    private static bool TryReadTarget(Vcpu vcpu, in PendingEvent pending, SegmentDescriptor gate, out ushort selector, out SegmentDescriptor code)
    {
        selector = (ushort)(gate.Value >> 16);
        code = default;
        if (Selectors.IsNull(selector))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, pending.ExternalBit);
        uint errorCode = Selectors.ErrorCode(selector) | pending.ExternalBit;
        switch (DescriptorTables.Read(vcpu, selector, out code))
        {
            case DescriptorLookup.OutsideTable:
                return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
            case DescriptorLookup.Fault:
                return false;
            case DescriptorLookup.Found:
                break;
        }

        if (!code.IsCode || code.Dpl > vcpu.System.Cpl || !code.IsLong || code.IsDefault32)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        return code.IsPresent || vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
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

        // A handler at level 3 has a user stack; any other is the processor's own business, which SMAP's AC does not excuse.
        return vcpu.Data.TryPushFrame(stack, words, cpl == 3 ? AccessMode.User : AccessMode.Implicit);
    }

    private static void Commit(Vcpu vcpu, SegmentDescriptor gate, SegmentRegister code, int cpl, ulong target, ulong top)
    {
        const RFlags ClearedByInterruptGates = RFlags.InterruptEnable;
        const RFlags ClearedByAllGates = RFlags.Trap | RFlags.NestedTask | RFlags.Resume | RFlags.Virtual8086;
        vcpu.Registers.Rsp = top;
        vcpu.Registers.Rip = target;
        RFlags cleared = gate.Type == SegmentDescriptor.InterruptGate ? ClearedByAllGates | ClearedByInterruptGates : ClearedByAllGates;
        vcpu.ClearSystemFlags(cleared);
        vcpu.System.Cs = code;
        if (cpl == vcpu.System.Cpl)
            return;
        vcpu.System.Ss = SegmentDescriptor.Null((ushort)cpl);
        vcpu.System.Cpl = cpl;
        vcpu.ModeChanged();
    }
}
