using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The end of a far RET or IRET: entering the code segment returned to, and the stack of an outer level.</summary>
internal static class OuterReturn
{
    /// <summary>Loads SS of the level returned to.</summary>
    /// <returns>False with the fault recorded.</returns>
    public static bool TryLoadStack(Vcpu vcpu, ushort selector, int cpl, SegmentDescriptor code, out SegmentRegister segment) =>
        SegmentLoading.TryStack(
            vcpu, selector, cpl, CodeSegments.IsLong(vcpu, code) ? NullStack.AllowedBelowLevel3 : NullStack.Refused, out segment);

    /// <summary>Puts the stack returned to in force: as much of RSP as its segment uses.</summary>
    public static void SetStack(Vcpu vcpu, SegmentDescriptor code, SegmentRegister segment, ulong pointer)
    {
        vcpu.System.Ss = segment;
        vcpu.Registers.Rsp = CodeSegments.IsLong(vcpu, code) ? pointer
            : segment.Big ? (uint)pointer
            : (vcpu.Registers.Rsp & 0xFFFF_0000) | (ushort)pointer;
    }

    /// <summary>Enters the code segment. At an outer level segments that it may not use become null.</summary>
    public static void Enter(Vcpu vcpu, SegmentRegister code, ulong offset)
    {
        int cpl = Selectors.Rpl(code.Selector);
        if (cpl > vcpu.System.Cpl)
            SegmentLoading.DropInaccessible(vcpu, cpl);
        CodeSegments.Enter(vcpu, code, cpl, offset);
    }
}
