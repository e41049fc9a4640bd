using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Switches tasks. SDM 3, "Task Switching".</summary>
/// <remarks>
/// Up to the commit point a fault leaves the old task as it was. Behind it the new task is in force, and what is wrong with its segments is a
/// fault before its first instruction.
/// </remarks>
internal static class TaskSwitch
{
    /// <summary>Checks that a TSS can be switched to: a TSS of the GDT, present, long enough, busy for IRET alone.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="selector">Of the TSS.</param>
    /// <param name="cause">Why.</param>
    /// <param name="external">EXT of error codes.</param>
    /// <param name="descriptor">Its descriptor.</param>
    /// <returns>False with the fault recorded.</returns>
    public static bool TryFind(Vcpu vcpu, ushort selector, TaskSwitchCause cause, uint external, out SegmentDescriptor descriptor)
    {
        descriptor = default;
        bool isReturn = cause == TaskSwitchCause.Return;
        ExceptionVector refusal = isReturn ? ExceptionVector.InvalidTss : ExceptionVector.GeneralProtection;
        uint errorCode = Selectors.ErrorCode(selector) | external;
        if (Selectors.IsLocal(selector) || Selectors.IsNull(selector))
            return vcpu.Faults.Raise(refusal, errorCode);
        if (!SegmentLoading.TryRead(vcpu, selector, refusal, external, out descriptor))
            return false;
        if (!descriptor.IsTss || descriptor.IsBusy != isReturn)
            return vcpu.Faults.Raise(refusal, errorCode);
        if (!descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
        TaskLayout layout = descriptor.IsWide ? TaskLayout.Wide : TaskLayout.Narrow;
        return descriptor.Limit >= layout.MinimumLimit || vcpu.Faults.Raise(ExceptionVector.InvalidTss, errorCode);
    }

    /// <summary>Switches to a task whose TSS was found.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="selector">Of the TSS.</param>
    /// <param name="descriptor">Its descriptor.</param>
    /// <param name="cause">Why.</param>
    /// <param name="pointer">EIP where the old task goes on.</param>
    /// <param name="flags">EFLAGS with which it goes on.</param>
    /// <param name="external">EXT of error codes.</param>
    /// <returns>False with the fault recorded; CS:EIP says in which task.</returns>
    public static bool TryEnter(
        Vcpu vcpu, ushort selector, SegmentDescriptor descriptor, TaskSwitchCause cause, uint pointer, RFlags flags, uint external)
    {
        SegmentRegister old = vcpu.System.Tr;
        SegmentRegister task = descriptor.ToRegister(selector);
        task = task with { Attributes = (ushort)(task.Attributes | SegmentDescriptor.BusyBit) };
        bool isNested = cause is TaskSwitchCause.Call or TaskSwitchCause.Event;
        if (old.Limit < TaskLayout.Of(old).MinimumLimit)
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, Selectors.ErrorCode(old.Selector) | external);
        if (!TaskImage.TryRead(vcpu, task, out TaskImage image) || !TaskImage.CanSave(vcpu, old))
            return false;
        if (cause == TaskSwitchCause.Return)
            flags &= ~RFlags.NestedTask;
        if (!TryWrite(vcpu, old, task, descriptor, cause, pointer, flags, isNested))
            return false;
        if (isNested)
            image.Flags |= (uint)RFlags.NestedTask;
        vcpu.System.Tr = task;
        return TryCommit(vcpu, image, TaskState.IsWide(task)) && TaskSegments.TryLoad(vcpu, image, external);
    }

    // The old task's state, the back link and the busy bits.
    private static bool TryWrite(
        Vcpu vcpu,
        SegmentRegister old,
        SegmentRegister task,
        SegmentDescriptor descriptor,
        TaskSwitchCause cause,
        uint pointer,
        RFlags flags,
        bool isNested)
    {
        if (isNested && !vcpu.Data.TryWriteImplicit(task.Base + TaskLayout.BackLink, old.Selector, isStack: false))
            return false;
        if (cause != TaskSwitchCause.Return
            && !DescriptorTables.TryWriteType(vcpu, task.Selector, descriptor, descriptor.Type | SegmentDescriptor.BusyBit))
            return false;
        if (!isNested && !TryRelease(vcpu, old))
            return false;
        return TaskImage.TrySave(vcpu, old, pointer, flags);
    }

    private static bool TryRelease(Vcpu vcpu, SegmentRegister old)
    {
        if (DescriptorTables.Read(vcpu, old.Selector, out SegmentDescriptor descriptor) != DescriptorLookup.Found)
            return vcpu.Faults.Raise(ExceptionVector.InvalidTss, Selectors.ErrorCode(old.Selector));
        return DescriptorTables.TryWriteType(vcpu, old.Selector, descriptor, descriptor.Type & ~SegmentDescriptor.BusyBit);
    }

    // CR3 and all that needs no descriptor. SDM 3, "Task Switching": DR7's local enables are cleared, CR0.TS is set.
    private static bool TryCommit(Vcpu vcpu, in TaskImage image, bool hasPagingRoot)
    {
        const ulong LocalEnables = 0x155;
        SystemState system = vcpu.System;
        bool changesRoot = hasPagingRoot && (system.Cr0 & Cr0.Paging) != 0 && system.Cr3 != image.PagingRoot;
        for (int i = 0; i < TaskImage.GeneralRegisters.Count; i++)
            vcpu.Registers[i] = image.Registers[i];
        vcpu.Registers.Rip = image.Pointer;
        vcpu.Registers.Flags = (RFlags)image.Flags;
        system.Cr0 |= Cr0.TaskSwitched;
        system.Dr7 &= ~LocalEnables;
        if (image.Traps)
            vcpu.Breakpoints.Pending |= DebugRegisters.TaskSwitch;
        TaskSegments.Unload(vcpu, image);
        if (!changesRoot)
        {
            vcpu.ContextChanged();
            return true;
        }

        return ControlRegisters.WriteCr3(vcpu, image.PagingRoot) == ManagedOutcome.EndBlock;
    }
}
