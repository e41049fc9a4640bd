using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Far JMP and far CALL, straight to a code segment or through a call gate. SDM 2, "JMP" and "CALL".</summary>
internal static class FarTransfers
{
    /// <summary>JMP m16:16, m16:32 or m16:64.</summary>
    public static ManagedOutcome Jump(Vcpu vcpu, in Instruction instruction)
    {
        if (!TryReadTarget(vcpu, instruction, out FarPointer pointer, out SegmentDescriptor descriptor))
            return ManagedOutcome.Fault;
        if (descriptor.IsSystem)
            return JumpThroughGate(vcpu, instruction, pointer.Selector, descriptor);
        CodeSegmentCheck check = CodeSegments.CheckDirect(vcpu, pointer.Selector, descriptor);
        if (check != CodeSegmentCheck.Allowed)
            return Refuse(vcpu, instruction, check);
        return Enter(vcpu, pointer.Selector, descriptor, pointer.Offset, vcpu.Registers.Rsp);
    }

    /// <summary>CALL m16:16, m16:32 or m16:64.</summary>
    public static ManagedOutcome Call(Vcpu vcpu, in Instruction instruction)
    {
        if (!TryReadTarget(vcpu, instruction, out FarPointer pointer, out SegmentDescriptor descriptor))
            return ManagedOutcome.Fault;
        if (descriptor.IsSystem)
            return CallThroughGate(vcpu, instruction, pointer.Selector, descriptor);
        CodeSegmentCheck check = CodeSegments.CheckDirect(vcpu, pointer.Selector, descriptor);
        if (check != CodeSegmentCheck.Allowed)
            return Refuse(vcpu, instruction, check);
        return CallSameLevel(vcpu, instruction, pointer.Selector, descriptor, pointer.Offset, FarPointer.OffsetBytes(instruction));
    }

    private static bool TryReadTarget(Vcpu vcpu, in Instruction instruction, out FarPointer pointer, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        if (!FarPointer.TryRead(vcpu, instruction, out pointer))
            return false;
        if (Selectors.IsNull(pointer.Selector))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        return SegmentLoading.TryRead(vcpu, pointer.Selector, out descriptor);
    }

    private static ManagedOutcome JumpThroughGate(Vcpu vcpu, in Instruction instruction, ushort selector, SegmentDescriptor gate)
    {
        if (!CallGate.TryRead(vcpu, selector, gate, out FarPointer target, out SegmentDescriptor code))
            return ManagedOutcome.Fault;
        int cpl = vcpu.System.Cpl;
        if (code.IsConforming ? code.Dpl > cpl : code.Dpl != cpl)
            return Raise.GeneralProtection(vcpu, Selectors.ErrorCode(target.Selector));
        return Enter(vcpu, target.Selector, code, target.Offset, vcpu.Registers.Rsp);
    }

    private static ManagedOutcome CallThroughGate(Vcpu vcpu, in Instruction instruction, ushort selector, SegmentDescriptor gate)
    {
        const int GateWordBytes = 8;
        if (!CallGate.TryRead(vcpu, selector, gate, out FarPointer target, out SegmentDescriptor code))
            return ManagedOutcome.Fault;
        return code.IsConforming || code.Dpl == vcpu.System.Cpl
            ? CallSameLevel(vcpu, instruction, target.Selector, code, target.Offset, GateWordBytes)
            : CallInnerLevel(vcpu, instruction, target, code);
    }

    private static ManagedOutcome CallSameLevel(
        Vcpu vcpu, in Instruction instruction, ushort selector, SegmentDescriptor code, ulong offset, int wordBytes)
    {
        ulong next = vcpu.Registers.Rip + (ulong)instruction.Length;
        ReadOnlySpan<ulong> words = [vcpu.System.Cs.Selector, next];
        if (!Canonical.Is(offset))
            return Raise.GeneralProtection(vcpu, 0);
        if (!vcpu.Data.TryPushWords(vcpu.Registers.Rsp, words, wordBytes, vcpu.Data.Mode))
            return ManagedOutcome.Fault;
        return Enter(vcpu, selector, code, offset, vcpu.Registers.Rsp - (2 * (ulong)wordBytes));
    }

    // The stack of the inner level comes from the TSS. 64-bit call gates copy no parameters.
    private static ManagedOutcome CallInnerLevel(Vcpu vcpu, in Instruction instruction, FarPointer target, SegmentDescriptor code)
    {
        int cpl = code.Dpl;
        if (!TaskState.TryReadStack(vcpu, TaskState.PrivilegedStack(cpl), 0, out ulong stack))
            return ManagedOutcome.Fault;
        if (!Canonical.Is(stack))
            return Raise.Exception(vcpu, ExceptionVector.StackFault, 0);
        if (!Canonical.Is(target.Offset))
            return Raise.GeneralProtection(vcpu, 0);
        ulong next = vcpu.Registers.Rip + (ulong)instruction.Length;
        ReadOnlySpan<ulong> words = [vcpu.System.Ss.Selector, vcpu.Registers.Rsp, vcpu.System.Cs.Selector, next];
        if (!DescriptorTables.TrySetAccessed(vcpu, target.Selector, code)
            || !vcpu.Data.TryPushWords(stack, words, 8, AccessMode.Implicit))
            return ManagedOutcome.Fault;
        vcpu.Registers.Rsp = stack - ((ulong)words.Length * 8);
        vcpu.Registers.Rip = target.Offset;
        vcpu.System.Cs = code.ToRegister(Selectors.WithRpl(target.Selector, cpl));
        vcpu.System.Ss = SegmentDescriptor.Null((ushort)cpl);
        vcpu.System.Cpl = cpl;
        vcpu.ModeChanged();
        return ManagedOutcome.Branch;
    }

    private static ManagedOutcome Enter(Vcpu vcpu, ushort selector, SegmentDescriptor code, ulong offset, ulong stack)
    {
        if (!Canonical.Is(offset))
            return Raise.GeneralProtection(vcpu, 0);
        if (!DescriptorTables.TrySetAccessed(vcpu, selector, code))
            return ManagedOutcome.Fault;
        vcpu.System.Cs = code.ToRegister(Selectors.WithRpl(selector, vcpu.System.Cpl));
        vcpu.Registers.Rip = offset;
        vcpu.Registers.Rsp = stack;
        return ManagedOutcome.Branch;
    }

    private static ManagedOutcome Refuse(Vcpu vcpu, in Instruction instruction, CodeSegmentCheck check) =>
        check == CodeSegmentCheck.Compatibility ? Unsupported.CompatibilityMode(vcpu, instruction) : ManagedOutcome.Fault;
}
