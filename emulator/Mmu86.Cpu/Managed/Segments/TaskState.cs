using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>What the current TSS holds besides the state of a task: stacks, the I/O permission bitmap, the interrupt redirection bitmap.</summary>
/// <remarks>SDM 3, "Task-State Segment (TSS)", "64-Bit Task State Segment".</remarks>
internal static class TaskState
{
    /// <summary>Offset of the 16-bit offset of the I/O permission bitmap, in a 32-bit or 64-bit TSS.</summary>
    public const int PortBitmapBase = 0x66;

    // The redirection bitmap of 256 bits lies in front of the I/O permission bitmap.
    private const int RedirectionBytes = 32;

    /// <summary>Offset of RSP0 to RSP2.</summary>
    public static int PrivilegedStack(int cpl) => 4 + (cpl * 8);

    /// <summary>Offset of IST1 to IST7.</summary>
    public static int InterruptStack(int number) => 0x1C + (number * 8);

    /// <summary>Whether a TSS is of 32 or 64 bits, not 16.</summary>
    public static bool IsWide(SegmentRegister task) => (task.Attributes & 8) != 0;

    /// <summary>Reads a stack pointer of a 64-bit TSS; an access outside the TSS is #TS.</summary>
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

    /// <summary>Reads SS and ESP of an inner level from a 16- or 32-bit TSS; an access outside the TSS is #TS.</summary>
    public static bool TryReadLegacyStack(Vcpu vcpu, int cpl, uint external, out ushort selector, out uint pointer)
    {
        selector = 0;
        pointer = 0;
        SegmentRegister task = vcpu.System.Tr;
        bool isWide = IsWide(task);
        uint offset = isWide ? 4 + ((uint)cpl * 8) : 2 + ((uint)cpl * 4);
        uint pointerBytes = isWide ? 4u : 2u;
        if (offset + pointerBytes + 1 > task.Limit)
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, Selectors.ErrorCode(task.Selector) | external);
        uint address = (uint)task.Base + offset;
        if (isWide)
            return vcpu.Data.TryReadImplicit(address, out pointer) && vcpu.Data.TryReadImplicit(address + 4, out selector);
        if (!vcpu.Data.TryReadImplicit(address, out ushort narrow))
            return false;
        pointer = narrow;
        return vcpu.Data.TryReadImplicit(address + 2, out selector);
    }

    /// <summary>Whether INT n of a virtual-8086 task goes to the task's own handler. SDM 3, "Software Interrupt Handling in Virtual-8086 Mode".</summary>
    /// <returns>False where reading faulted; outside the TSS is #GP(0).</returns>
    public static bool TryReadRedirection(Vcpu vcpu, byte vector, out bool isRedirected)
    {
        isRedirected = false;
        SegmentRegister task = vcpu.System.Tr;
        if (!IsWide(task) || PortBitmapBase + 1 > task.Limit)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        if (!vcpu.Data.TryReadImplicit(task.Base + PortBitmapBase, out ushort bitmap))
            return false;
        uint offset = (uint)(bitmap - RedirectionBytes + (vector / 8));
        if (offset > task.Limit)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        if (!vcpu.Data.TryReadImplicit(task.Base + offset, out byte bits))
            return false;
        isRedirected = ((bits >> (vector & 7)) & 1) == 0;
        return true;
    }
}
