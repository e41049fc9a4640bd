using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The stack that the TSS names for an inner privilege level. SDM 3, "Stack Switching".</summary>
internal static class InnerStack
{
    /// <summary>Finds it. Its faults are #TS; a stack that is not present is #SS.</summary>
    /// <param name="vcpu">The CPU, in any mode with a TSS.</param>
    /// <param name="cpl">The inner level.</param>
    /// <param name="external">EXT of error codes.</param>
    /// <param name="segment">SS: null in IA-32e mode.</param>
    /// <param name="pointer">RSP or ESP.</param>
    /// <returns>False with the fault recorded.</returns>
    public static bool TryFind(Vcpu vcpu, int cpl, uint external, out SegmentRegister segment, out ulong pointer)
    {
        if (vcpu.Mode.IsLong())
        {
            segment = SegmentDescriptor.Null((ushort)cpl);
            return TaskState.TryReadStack(vcpu, TaskState.PrivilegedStack(cpl), external, out pointer);
        }

        segment = default;
        if (!TaskState.TryReadLegacyStack(vcpu, cpl, external, out ushort selector, out uint offset))
        {
            pointer = 0;
            return false;
        }

        pointer = offset;
        return TryLoad(vcpu, selector, cpl, external, out segment);
    }

    /// <summary>The frame's home, whichever kind of stack it is.</summary>
    public static TransferStack Stack(Vcpu vcpu, SegmentRegister segment, ulong pointer) =>
        vcpu.Mode.IsLong() ? TransferStack.Long(pointer) : TransferStack.Of(segment, pointer);

    private static bool TryLoad(Vcpu vcpu, ushort selector, int cpl, uint external, out SegmentRegister segment)
    {
        segment = default;
        uint errorCode = Selectors.ErrorCode(selector) | external;
        if (Selectors.IsNull(selector))
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, external);
        if (!SegmentLoading.TryRead(vcpu, selector, ExceptionVector.InvalidTss, external, out SegmentDescriptor descriptor))
            return false;
        if (Selectors.Rpl(selector) != cpl || descriptor.Dpl != cpl || !descriptor.IsWritableData)
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, errorCode);
        if (!descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.StackFault, errorCode);
        segment = descriptor.ToRegister(selector);
        return DescriptorTables.TrySetAccessed(vcpu, selector, descriptor);
    }
}
