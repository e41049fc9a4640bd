using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Far RET. SDM 2, "RET—Return From Procedure".</summary>
internal static class FarReturn
{
    /// <summary>Executes it.</summary>
    public static ManagedOutcome Execute(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Code switch
        {
            Code.Retfw or Code.Retfw_imm16 => 2,
            Code.Retfd or Code.Retfd_imm16 => 4,
            _ => 8,
        };
        int released = instruction.OpCount == 1 ? instruction.Immediate16 : 0;
        if (vcpu.Mode.HasParagraphs())
            return ParagraphTransfers.Return(vcpu, size, released);
        ulong stack = StackAccess.Pointer(vcpu);
        if (!StackAccess.TryPop(vcpu, ref stack, size, out ulong offset)
            || !StackAccess.TryPop(vcpu, ref stack, size, out ulong selectorWord)
            || !CodeSegments.CheckReturn(vcpu, (ushort)selectorWord, out SegmentDescriptor code))
            return ManagedOutcome.Fault;
        var selector = (ushort)selectorWord;
        stack = StackAccess.Up(vcpu, stack, released);
        return Selectors.Rpl(selector) > vcpu.System.Cpl
            ? ReturnOuter(vcpu, selector, code, offset, stack, size, released)
            : ReturnSame(vcpu, selector, code, offset, stack);
    }

    private static ManagedOutcome ReturnSame(Vcpu vcpu, ushort selector, SegmentDescriptor code, ulong offset, ulong stack)
    {
        if (!CodeSegments.CheckOffset(vcpu, code, offset, 0) || !DescriptorTables.TrySetAccessed(vcpu, selector, code))
            return ManagedOutcome.Fault;
        StackAccess.SetPointer(vcpu, stack);
        OuterReturn.Enter(vcpu, code.ToRegister(selector), offset);
        return ManagedOutcome.Branch;
    }

    private static ManagedOutcome ReturnOuter(
        Vcpu vcpu, ushort selector, SegmentDescriptor code, ulong offset, ulong stack, int size, int released)
    {
        if (!StackAccess.TryPop(vcpu, ref stack, size, out ulong pointer)
            || !StackAccess.TryPop(vcpu, ref stack, size, out ulong stackSelector)
            || !OuterReturn.TryLoadStack(vcpu, (ushort)stackSelector, Selectors.Rpl(selector), code, out SegmentRegister segment)
            || !CodeSegments.CheckOffset(vcpu, code, offset, 0)
            || !DescriptorTables.TrySetAccessed(vcpu, selector, code))
            return ManagedOutcome.Fault;
        OuterReturn.SetStack(vcpu, code, segment, pointer + (ulong)released);
        OuterReturn.Enter(vcpu, code.ToRegister(selector), offset);
        return ManagedOutcome.Branch;
    }
}
