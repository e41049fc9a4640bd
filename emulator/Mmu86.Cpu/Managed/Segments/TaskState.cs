using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The 64-bit TSS: stacks and the I/O permission bitmap. SDM 3, "64-Bit Task State Segment".</summary>
internal static class TaskState
{
    /// <summary>Offset of the 16-bit offset of the I/O permission bitmap.</summary>
    public const int PortBitmapBase = 0x66;

    /// <summary>Offset of RSP0 to RSP2.</summary>
    public static int PrivilegedStack(int cpl) => 4 + (cpl * 8);

    /// <summary>Offset of IST1 to IST7.</summary>
    public static int InterruptStack(int number) => 0x1C + (number * 8);

    /// <summary>Reads a stack pointer; an access outside the TSS is #TS.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="offset">Offset in the TSS.</param>
    /// <param name="external">EXT of the error code.</param>
    /// <param name="stack">The stack pointer; whether it is canonical is not checked.</param>
    public static bool TryReadStack(Vcpu vcpu, int offset, uint external, out ulong stack)
    {
        stack = 0;
        SegmentRegister task = vcpu.System.Tr;
        if ((uint)offset + 7 > task.Limit)
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, Selectors.ErrorCode(task.Selector) | external);
        return vcpu.Data.TryReadImplicit(task.Base + (uint)offset, out stack);
    }
}
