using System.Runtime.InteropServices;
using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>LGDT, LIDT, LLDT, LTR and their stores.</summary>
internal static class DescriptorTableInstructions
{
    /// <summary>LGDT.</summary>
    public static ManagedOutcome LoadGlobal(Vcpu vcpu, in Instruction instruction)
    {
        if (!TryReadTable(vcpu, instruction, out DescriptorTableRegister table))
            return ManagedOutcome.Fault;
        vcpu.System.Gdtr = table;
        return ManagedOutcome.Next;
    }

    /// <summary>LIDT.</summary>
    public static ManagedOutcome LoadInterrupt(Vcpu vcpu, in Instruction instruction)
    {
        if (!TryReadTable(vcpu, instruction, out DescriptorTableRegister table))
            return ManagedOutcome.Fault;
        vcpu.System.Idtr = table;
        return ManagedOutcome.Next;
    }

    /// <summary>SGDT.</summary>
    public static ManagedOutcome StoreGlobal(Vcpu vcpu, in Instruction instruction) => StoreTable(vcpu, instruction, vcpu.System.Gdtr);

    /// <summary>SIDT.</summary>
    public static ManagedOutcome StoreInterrupt(Vcpu vcpu, in Instruction instruction) => StoreTable(vcpu, instruction, vcpu.System.Idtr);

    /// <summary>LLDT.</summary>
    public static ManagedOutcome LoadLocal(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if (!Operands.TryRead(vcpu, instruction, 0, out ulong operand))
            return ManagedOutcome.Fault;
        var selector = (ushort)operand;
        if (Selectors.IsNull(selector))
        {
            vcpu.System.Ldtr = SegmentDescriptor.Null(selector);
            return ManagedOutcome.Next;
        }

        if (!TryReadSystem(vcpu, selector, SegmentDescriptor.LocalDescriptorTable, out SegmentRegister table, out _))
            return ManagedOutcome.Fault;
        vcpu.System.Ldtr = table;
        return ManagedOutcome.Next;
    }

    /// <summary>LTR: the TSS becomes busy.</summary>
    public static ManagedOutcome LoadTask(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if (!Operands.TryRead(vcpu, instruction, 0, out ulong operand))
            return ManagedOutcome.Fault;
        var selector = (ushort)operand;
        if (Selectors.IsNull(selector))
            return Raise.GeneralProtection(vcpu, 0);
        if (!TryReadSystem(vcpu, selector, SegmentDescriptor.AvailableTss, out SegmentRegister task, out SegmentDescriptor descriptor)
            || !DescriptorTables.TryWriteType(vcpu, selector, descriptor, SegmentDescriptor.BusyTss))
            return ManagedOutcome.Fault;
        const ushort BusyBit = 2;
        vcpu.System.Tr = task with { Attributes = (ushort)(task.Attributes | BusyBit) };
        return ManagedOutcome.Next;
    }

    /// <summary>SLDT.</summary>
    public static ManagedOutcome StoreLocal(Vcpu vcpu, in Instruction instruction) => StoreSelector(vcpu, instruction, vcpu.System.Ldtr.Selector);

    /// <summary>STR.</summary>
    public static ManagedOutcome StoreTask(Vcpu vcpu, in Instruction instruction) => StoreSelector(vcpu, instruction, vcpu.System.Tr.Selector);

    private static ManagedOutcome StoreSelector(Vcpu vcpu, in Instruction instruction, ushort selector)
    {
        if (SystemAccess.IsPreventedInUserMode(vcpu))
            return Raise.GeneralProtection(vcpu, 0);
        return Operands.TryWrite(vcpu, instruction, 0, selector) ? ManagedOutcome.Next : ManagedOutcome.Fault;
    }

    private static ManagedOutcome StoreTable(Vcpu vcpu, in Instruction instruction, DescriptorTableRegister table)
    {
        if (SystemAccess.IsPreventedInUserMode(vcpu))
            return Raise.GeneralProtection(vcpu, 0);
        bool isStored = vcpu.Data.TryWrite(
            Operands.Address(vcpu, instruction, Paging.AccessKind.Write), new TableOperand(table.Limit, table.Base), Operands.IsStackReference(instruction));
        return isStored ? ManagedOutcome.Next : ManagedOutcome.Fault;
    }

    private static bool TryReadTable(Vcpu vcpu, in Instruction instruction, out DescriptorTableRegister table)
    {
        table = default;
        if (vcpu.System.Cpl != 0)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        if (!vcpu.Data.TryRead(Operands.Address(vcpu, instruction), out TableOperand operand, Operands.IsStackReference(instruction)))
            return false;
        table = new DescriptorTableRegister(operand.Base, operand.Limit);
        return Canonical.Is(operand.Base, vcpu.Features.LinearAddressBits) || vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
    }

    // A 16-byte descriptor of the GDT that must be of one type.
    private static bool TryReadSystem(Vcpu vcpu, ushort selector, int type, out SegmentRegister register, out SegmentDescriptor descriptor)
    {
        const ulong UpperReserved = 0x1F00UL << 32;
        register = default;
        descriptor = default;
        uint errorCode = Selectors.ErrorCode(selector);
        if (Selectors.IsLocal(selector))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        if (!SegmentLoading.TryRead(vcpu, selector, out descriptor))
            return false;
        if (!descriptor.IsSystem || descriptor.Type != type)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        if (!descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
        switch (DescriptorTables.ReadUpper(vcpu, selector, out ulong upper))
        {
            case DescriptorLookup.Found:
                register = descriptor.ToRegister(selector) with { Base = descriptor.Base | (upper << 32) };
                return ((upper & UpperReserved) == 0 && Canonical.Is(register.Base, vcpu.Features.LinearAddressBits))
                    || vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
            case DescriptorLookup.OutsideTable:
                return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
            default:
                return false;
        }
    }

    // m16&64
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly struct TableOperand(ushort limit, ulong address)
    {
        public readonly ushort Limit = limit;
        public readonly ulong Base = address;
    }
}
