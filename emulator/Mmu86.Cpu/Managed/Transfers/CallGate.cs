using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Far JMP and CALL through call gates. SDM 3, "Call Gates" and "IA-32e Mode Call Gates".</summary>
internal static class CallGate
{
    // The most words that a call pushes: SS, ESP, 31 parameters, CS, EIP.
    private const int MostWords = 35;

    // Bits 12:8 of the last doubleword: where a 16-byte descriptor would otherwise show a legal type in its upper half.
    private const ulong UpperReserved = 0x1F00UL << 32;

    /// <summary>JMP.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="selector">The gate's selector.</param>
    /// <param name="gate">A call gate of the width that the mode has.</param>
    public static ManagedOutcome Jump(Vcpu vcpu, ushort selector, SegmentDescriptor gate)
    {
        if (!TryRead(vcpu, selector, gate, out FarPointer target, out SegmentDescriptor code))
            return ManagedOutcome.Fault;
        int cpl = vcpu.System.Cpl;
        if (code.IsConforming ? code.Dpl > cpl : code.Dpl != cpl)
            return Raise.GeneralProtection(vcpu, Selectors.ErrorCode(target.Selector));
        return FarTransfers.EnterSameLevel(vcpu, target, code, vcpu.Registers.Rsp);
    }

    /// <summary>CALL.</summary>
    public static ManagedOutcome Call(Vcpu vcpu, in Instruction instruction, ushort selector, SegmentDescriptor gate)
    {
        if (!TryRead(vcpu, selector, gate, out FarPointer target, out SegmentDescriptor code))
            return ManagedOutcome.Fault;
        int wordBytes = vcpu.Mode.IsLong() ? 8 : gate.IsWide ? 4 : 2;
        return code.IsConforming || code.Dpl == vcpu.System.Cpl
            ? FarTransfers.CallSameLevel(vcpu, instruction, target, code, wordBytes)
            : CallInnerLevel(vcpu, instruction, gate, target, code, wordBytes);
    }

    private static bool TryRead(Vcpu vcpu, ushort selector, SegmentDescriptor gate, out FarPointer target, out SegmentDescriptor code)
    {
        target = default;
        code = default;
        uint errorCode = Selectors.ErrorCode(selector);
        if (gate.Dpl < Math.Max(Selectors.Rpl(selector), vcpu.System.Cpl))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        if (!gate.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
        ulong upper = 0;
        if (vcpu.Mode.IsLong() && !TryReadUpper(vcpu, selector, out upper))
            return false;
        target = new FarPointer(gate.GateSelector, gate.GateOffset | (upper << 32));
        return CodeSegments.CheckGate(vcpu, target.Selector, 0, out code);
    }

    private static bool TryReadUpper(Vcpu vcpu, ushort selector, out ulong upper)
    {
        switch (DescriptorTables.ReadUpper(vcpu, selector, out upper))
        {
            case DescriptorLookup.Fault:
                return false;
            case DescriptorLookup.Found when (upper & UpperReserved) == 0:
                return true;
            default:
                return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, Selectors.ErrorCode(selector));
        }
    }

    private static ManagedOutcome CallInnerLevel(
        Vcpu vcpu, in Instruction instruction, SegmentDescriptor gate, FarPointer target, SegmentDescriptor code, int wordBytes)
    {
        int cpl = code.Dpl;
        if (!InnerStack.TryFind(vcpu, cpl, 0, out SegmentRegister stackSegment, out ulong pointer))
            return ManagedOutcome.Fault;
        if (vcpu.Mode.IsLong() && !vcpu.IsCanonical(pointer))
            return Raise.Exception(vcpu, ExceptionVector.StackFault, 0);
        Span<ulong> words = stackalloc ulong[MostWords];
        if (!TryGather(vcpu, instruction, gate, wordBytes, ref words))
            return ManagedOutcome.Fault;
        TransferStack stack = InnerStack.Stack(vcpu, stackSegment, pointer);
        if (!stack.HasRoom(words.Length, wordBytes))
            return Raise.Exception(vcpu, ExceptionVector.StackFault, Selectors.ErrorCode(stackSegment.Selector));
        if (!CodeSegments.CheckOffset(vcpu, code, target.Offset, 0)
            || !DescriptorTables.TrySetAccessed(vcpu, target.Selector, code)
            || !vcpu.Data.TryPushWords(stack, words, wordBytes, vcpu.ModeAt(cpl)))
            return ManagedOutcome.Fault;
        vcpu.Registers.Rsp = stack.After(words.Length * wordBytes);
        vcpu.System.Ss = stackSegment;
        CodeSegments.Enter(vcpu, code.ToRegister(Selectors.WithRpl(target.Selector, cpl)), cpl, target.Offset);
        return ManagedOutcome.Branch;
    }

    // What goes onto the inner stack, in the order of the pushes. 64-bit gates copy no parameters.
    private static bool TryGather(Vcpu vcpu, in Instruction instruction, SegmentDescriptor gate, int wordBytes, ref Span<ulong> words)
    {
        int parameters = vcpu.Mode.IsLong() ? 0 : gate.ParameterCount;
        words = words[..(parameters + 4)];
        words[0] = vcpu.System.Ss.Selector;
        words[1] = vcpu.Registers.Rsp;
        ulong from = StackAccess.Pointer(vcpu);
        for (int i = parameters; i > 0; i--)
        {
            if (!StackAccess.TryPop(vcpu, ref from, wordBytes, out words[i + 1]))
                return false;
        }

        words[^2] = vcpu.System.Cs.Selector;
        words[^1] = FarTransfers.Next(vcpu, instruction);
        return true;
    }
}
