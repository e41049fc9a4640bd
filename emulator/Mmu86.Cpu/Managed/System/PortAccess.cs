using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Who may use an I/O port. SDM 1, "I/O Port Protection".</summary>
internal static class PortAccess
{
    /// <summary>By IOPL, else by the I/O permission bitmap of the TSS, whose reads are implicit.</summary>
    /// <returns>False with #GP(0), or the fault of reading the TSS, recorded.</returns>
    public static bool TryCheck(Vcpu vcpu, ushort port, int size)
    {
        // A virtual-8086 task has no ports but those of the bitmap.
        if (vcpu.Mode != ProcessorMode.Virtual8086 && vcpu.System.Cpl <= SystemAccess.IoPrivilege(vcpu))
            return true;
        SegmentRegister task = vcpu.System.Tr;
        if (!TaskState.IsWide(task) || TaskState.PortBitmapBase + 1 > task.Limit)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        if (!vcpu.Data.TryReadImplicit(task.Base + TaskState.PortBitmapBase, out ushort bitmap))
            return false;

        // Two bytes are read, so that the bits of a port that is not aligned are there: the bitmap ends in a byte of ones.
        uint offset = bitmap + (port / 8u);
        if (offset + 1 > task.Limit)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        if (!vcpu.Data.TryReadImplicit(task.Base + offset, out ushort bits))
            return false;
        int wanted = ((1 << size) - 1) << (port % 8);
        return (bits & wanted) == 0 || vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
    }
}
