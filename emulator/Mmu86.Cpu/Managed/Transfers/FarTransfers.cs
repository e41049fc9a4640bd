using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Far JMP and far CALL: straight to a code segment, through a call gate or to another task. SDM 2, "JMP" and "CALL".</summary>
internal static class FarTransfers
{
    /// <summary>Far JMP.</summary>
    public static ManagedOutcome Jump(Vcpu vcpu, in Instruction instruction)
    {
        if (!FarPointer.TryRead(vcpu, instruction, out FarPointer pointer))
            return ManagedOutcome.Fault;
        if (vcpu.Mode.HasParagraphs())
            return ParagraphTransfers.Jump(vcpu, pointer);
        if (!TryReadDescriptor(vcpu, pointer.Selector, out SegmentDescriptor descriptor))
            return ManagedOutcome.Fault;
        if (descriptor.IsSystem)
        {
            return IsCallGate(vcpu, descriptor) ? CallGate.Jump(vcpu, pointer.Selector, descriptor)
                : TaskTransfers.Enter(vcpu, instruction, pointer.Selector, descriptor, TaskSwitchCause.Jump);
        }

        return CodeSegments.CheckDirect(vcpu, pointer.Selector, descriptor)
            ? EnterSameLevel(vcpu, pointer, descriptor, vcpu.Registers.Rsp)
            : ManagedOutcome.Fault;
    }

    /// <summary>Far CALL.</summary>
    public static ManagedOutcome Call(Vcpu vcpu, in Instruction instruction)
    {
        if (!FarPointer.TryRead(vcpu, instruction, out FarPointer pointer))
            return ManagedOutcome.Fault;
        if (vcpu.Mode.HasParagraphs())
            return ParagraphTransfers.Call(vcpu, instruction, pointer);
        if (!TryReadDescriptor(vcpu, pointer.Selector, out SegmentDescriptor descriptor))
            return ManagedOutcome.Fault;
        if (descriptor.IsSystem)
        {
            return IsCallGate(vcpu, descriptor) ? CallGate.Call(vcpu, instruction, pointer.Selector, descriptor)
                : TaskTransfers.Enter(vcpu, instruction, pointer.Selector, descriptor, TaskSwitchCause.Call);
        }

        return CodeSegments.CheckDirect(vcpu, pointer.Selector, descriptor)
            ? CallSameLevel(vcpu, instruction, pointer, descriptor, FarPointer.OffsetBytes(instruction))
            : ManagedOutcome.Fault;
    }

    /// <summary>The instruction behind.</summary>
    public static ulong Next(Vcpu vcpu, in Instruction instruction)
    {
        ulong next = vcpu.Registers.Rip + (ulong)instruction.Length;
        return vcpu.Mode == ProcessorMode.Long64 ? next : (uint)next;
    }

    /// <summary>Pushes CS and RIP and enters a code segment that was checked.</summary>
    public static ManagedOutcome CallSameLevel(Vcpu vcpu, in Instruction instruction, FarPointer target, SegmentDescriptor code, int wordBytes)
    {
        ReadOnlySpan<ulong> words = [vcpu.System.Cs.Selector, Next(vcpu, instruction)];
        TransferStack stack = TransferStack.Current(vcpu);
        if (!stack.HasRoom(words.Length, wordBytes))
            return Raise.Exception(vcpu, ExceptionVector.StackFault, 0);
        if (!CodeSegments.CheckOffset(vcpu, code, target.Offset, 0) || !vcpu.Data.TryPushWords(stack, words, wordBytes, vcpu.Data.Mode))
            return ManagedOutcome.Fault;
        return EnterSameLevel(vcpu, target, code, stack.After(words.Length * wordBytes));
    }

    /// <summary>Enters a code segment that was checked, at the privilege level there is.</summary>
    public static ManagedOutcome EnterSameLevel(Vcpu vcpu, FarPointer target, SegmentDescriptor code, ulong stack)
    {
        if (!CodeSegments.CheckOffset(vcpu, code, target.Offset, 0) || !DescriptorTables.TrySetAccessed(vcpu, target.Selector, code))
            return ManagedOutcome.Fault;
        int cpl = vcpu.System.Cpl;
        vcpu.Registers.Rsp = stack;
        CodeSegments.Enter(vcpu, code.ToRegister(Selectors.WithRpl(target.Selector, cpl)), cpl, target.Offset);
        return ManagedOutcome.Branch;
    }

    private static bool TryReadDescriptor(Vcpu vcpu, ushort selector, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        if (Selectors.IsNull(selector))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        return SegmentLoading.TryRead(vcpu, selector, out descriptor);
    }

    private static bool IsCallGate(Vcpu vcpu, SegmentDescriptor descriptor) =>
        descriptor.Type == SegmentDescriptor.CallGate || (descriptor.Type == SegmentDescriptor.CallGate16 && !vcpu.Mode.IsLong());
}
