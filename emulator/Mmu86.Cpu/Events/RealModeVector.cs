using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Events in real-address mode: the IDT is a table of far pointers. SDM 3, "Interrupt and Exception Handling" of "8086 Emulation".</summary>
internal static class RealModeVector
{
    /// <summary>Delivers an event; no error code is pushed.</summary>
    /// <returns>False with the fault recorded.</returns>
    public static bool TryEnter(Vcpu vcpu, in PendingEvent pending)
    {
        DescriptorTableRegister idtr = vcpu.System.Idtr;
        uint offset = (uint)pending.Vector * 4;
        if (offset + 3 > idtr.Limit)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        if (!vcpu.Data.TryReadImplicit((uint)(idtr.Base + offset), out uint pointer))
            return false;
        ReadOnlySpan<ulong> words = [(ulong)vcpu.Registers.Flags, vcpu.System.Cs.Selector, pending.ReturnAddress];
        TransferStack stack = TransferStack.Current(vcpu);
        if (!stack.HasRoom(words.Length, 2))
            return vcpu.Faults.Raise(ExceptionVector.StackFault, 0);
        if (!vcpu.Data.TryPushFrame(stack, words, 2, vcpu.Data.Mode))
            return false;
        vcpu.Registers.Rsp = stack.After(words.Length * 2);
        vcpu.ClearSystemFlags(RFlags.InterruptEnable | RFlags.Trap | RFlags.AlignmentCheck | RFlags.Resume);
        _ = ParagraphTransfers.Enter(vcpu, new FarPointer((ushort)(pointer >> 16), (ushort)pointer));
        return true;
    }
}
