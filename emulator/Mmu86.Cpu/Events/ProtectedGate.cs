using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Events of protected and virtual-8086 mode: 16- and 32-bit interrupt, trap and task gates. SDM 2, "INT n/INTO/INT3/INT1—Call to Interrupt Procedure".</summary>
internal static class ProtectedGate
{
    // GS, FS, DS, ES, SS, ESP, EFLAGS, CS, EIP, error code.
    private const int MostWords = 10;

    /// <summary>Delivers an event.</summary>
    /// <returns>False with the fault recorded.</returns>
    public static bool TryEnter(Vcpu vcpu, in PendingEvent pending)
    {
        if (!TryReadGate(vcpu, pending, out SegmentDescriptor gate))
            return false;
        if (gate.Type == SegmentDescriptor.TaskGate)
            return TrySwitchTask(vcpu, pending, gate.GateSelector);
        uint external = pending.ExternalBit;
        if (!CodeSegments.CheckGate(vcpu, gate.GateSelector, external, out SegmentDescriptor code))
            return false;
        bool isInner = !code.IsConforming && code.Dpl < vcpu.System.Cpl;
        bool leavesVirtual8086 = vcpu.Mode == ProcessorMode.Virtual8086;
        if (leavesVirtual8086 && (!isInner || code.Dpl != 0))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, Selectors.ErrorCode(gate.GateSelector) | external);
        int cpl = isInner ? code.Dpl : vcpu.System.Cpl;
        SegmentRegister segment = vcpu.System.Ss;
        TransferStack stack = TransferStack.Current(vcpu);
        if (isInner)
        {
            if (!InnerStack.TryFind(vcpu, cpl, external, out segment, out ulong pointer))
                return false;
            stack = TransferStack.Of(segment, pointer);
        }

        Span<ulong> words = stackalloc ulong[MostWords];
        words = words[..Gather(vcpu, pending, isInner, words)];
        int wordBytes = gate.IsWide ? 4 : 2;
        if (!stack.HasRoom(words.Length, wordBytes))
            return vcpu.Faults.Raise(ExceptionVector.StackFault, (isInner ? Selectors.ErrorCode(segment.Selector) : 0) | external);
        if (!CodeSegments.CheckOffset(vcpu, code, gate.GateOffset, external)
            || !DescriptorTables.TrySetAccessed(vcpu, gate.GateSelector, code)
            || !vcpu.Data.TryPushFrame(stack, words, wordBytes, vcpu.ModeAt(cpl)))
            return false;
        vcpu.Registers.Rsp = stack.After(words.Length * wordBytes);
        vcpu.System.Ss = segment;
        if (leavesVirtual8086)
            DropData(vcpu);
        bool isInterrupt = gate.Type is SegmentDescriptor.InterruptGate or SegmentDescriptor.InterruptGate16;
        vcpu.ClearSystemFlags(
            RFlags.Trap | RFlags.NestedTask | RFlags.Resume | RFlags.Virtual8086 | (isInterrupt ? RFlags.InterruptEnable : RFlags.None));
        CodeSegments.Enter(vcpu, code.ToRegister(Selectors.WithRpl(gate.GateSelector, cpl)), cpl, gate.GateOffset);
        return true;
    }

    private static bool TryReadGate(Vcpu vcpu, in PendingEvent pending, out SegmentDescriptor gate)
    {
        gate = default;
        uint errorCode = ((uint)pending.Vector << 3) | EventGate.InIdt | pending.ExternalBit;
        DescriptorTableRegister idtr = vcpu.System.Idtr;
        uint offset = (uint)pending.Vector * 8;
        if (offset + 7 > idtr.Limit)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        if (!vcpu.Data.TryReadImplicit((uint)(idtr.Base + offset), out ulong value))
            return false;
        gate = new SegmentDescriptor(value);
        bool isGate = gate.IsSystem && gate.Type is SegmentDescriptor.TaskGate
            or SegmentDescriptor.InterruptGate16 or SegmentDescriptor.TrapGate16 or SegmentDescriptor.InterruptGate or SegmentDescriptor.TrapGate;
        if (!isGate || (pending.ChecksGatePrivilege && gate.Dpl < vcpu.System.Cpl))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        return gate.IsPresent || vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
    }

    // The frame in the order of the pushes.
    private static int Gather(Vcpu vcpu, in PendingEvent pending, bool isInner, Span<ulong> words)
    {
        SystemState system = vcpu.System;
        int count = 0;
        if (vcpu.Mode == ProcessorMode.Virtual8086)
        {
            words[count++] = system.Gs.Selector;
            words[count++] = system.Fs.Selector;
            words[count++] = system.Ds.Selector;
            words[count++] = system.Es.Selector;
        }

        if (isInner)
        {
            words[count++] = system.Ss.Selector;
            words[count++] = vcpu.Registers.Rsp;
        }

        words[count++] = (ulong)Flags(vcpu, pending);
        words[count++] = system.Cs.Selector;
        words[count++] = pending.ReturnAddress;
        if (pending.HasErrorCode)
            words[count++] = pending.ErrorCode;
        return count;
    }

    private static RFlags Flags(Vcpu vcpu, in PendingEvent pending) =>
        vcpu.Registers.Flags | (pending.Resume ? RFlags.Resume : RFlags.None);

    // Paragraphs mean nothing to the handler.
    private static void DropData(Vcpu vcpu)
    {
        SegmentRegisters.Set(vcpu, Register.ES, default);
        SegmentRegisters.Set(vcpu, Register.DS, default);
        SegmentRegisters.Set(vcpu, Register.FS, default);
        SegmentRegisters.Set(vcpu, Register.GS, default);
    }

    // The error code goes onto the stack of the new task, as wide as its TSS.
    private static bool TrySwitchTask(Vcpu vcpu, in PendingEvent pending, ushort selector)
    {
        uint external = pending.ExternalBit;
        if (!TaskSwitch.TryFind(vcpu, selector, TaskSwitchCause.Event, external, out SegmentDescriptor descriptor)
            || !TaskSwitch.TryEnter(
                vcpu, selector, descriptor, TaskSwitchCause.Event, (uint)pending.ReturnAddress, Flags(vcpu, pending), external))
            return false;
        if (!pending.HasErrorCode)
            return true;
        int wordBytes = descriptor.IsWide ? 4 : 2;
        ReadOnlySpan<ulong> words = [pending.ErrorCode];
        TransferStack stack = TransferStack.Current(vcpu);
        if (!stack.HasRoom(words.Length, wordBytes))
            return vcpu.Faults.Raise(ExceptionVector.StackFault, external);
        if (!vcpu.Data.TryPushFrame(stack, words, wordBytes, vcpu.Data.Mode))
            return false;
        vcpu.Registers.Rsp = stack.After(wordBytes);
        return true;
    }
}
