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
        if (vcpu.Mode.HasParagraphs())
            return Raise.InvalidOpcode(vcpu);
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

        if (!TryReadSystem(vcpu, selector, SystemSegment.LocalTable, out SegmentRegister table, out _))
            return ManagedOutcome.Fault;
        vcpu.System.Ldtr = table;
        return ManagedOutcome.Next;
    }

    /// <summary>LTR: the TSS becomes busy.</summary>
    public static ManagedOutcome LoadTask(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.Mode.HasParagraphs())
            return Raise.InvalidOpcode(vcpu);
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if (!Operands.TryRead(vcpu, instruction, 0, out ulong operand))
            return ManagedOutcome.Fault;
        var selector = (ushort)operand;
        if (Selectors.IsNull(selector))
            return Raise.GeneralProtection(vcpu, 0);
        if (!TryReadSystem(vcpu, selector, SystemSegment.AvailableTask, out SegmentRegister task, out SegmentDescriptor descriptor)
            || !DescriptorTables.TryWriteType(vcpu, selector, descriptor, descriptor.Type | SegmentDescriptor.BusyBit))
            return ManagedOutcome.Fault;
        vcpu.System.Tr = task with { Attributes = (ushort)(task.Attributes | SegmentDescriptor.BusyBit) };
        return ManagedOutcome.Next;
    }

    /// <summary>SLDT.</summary>
    public static ManagedOutcome StoreLocal(Vcpu vcpu, in Instruction instruction) => StoreSelector(vcpu, instruction, vcpu.System.Ldtr.Selector);

    /// <summary>STR.</summary>
    public static ManagedOutcome StoreTask(Vcpu vcpu, in Instruction instruction) => StoreSelector(vcpu, instruction, vcpu.System.Tr.Selector);

    private static ManagedOutcome StoreSelector(Vcpu vcpu, in Instruction instruction, ushort selector)
    {
        if (vcpu.Mode.HasParagraphs())
            return Raise.InvalidOpcode(vcpu);
        if (SystemAccess.IsPreventedInUserMode(vcpu))
            return Raise.GeneralProtection(vcpu, 0);
        return Operands.TryWrite(vcpu, instruction, 0, selector) ? ManagedOutcome.Next : ManagedOutcome.Fault;
    }

    private static ManagedOutcome StoreTable(Vcpu vcpu, in Instruction instruction, DescriptorTableRegister table)
    {
        if (SystemAccess.IsPreventedInUserMode(vcpu))
            return Raise.GeneralProtection(vcpu, 0);
        ulong address = Operands.Address(vcpu, instruction, Paging.AccessKind.Write);
        bool isStack = Operands.IsStackReference(instruction);
        bool isStored = vcpu.Mode == ProcessorMode.Long64
            ? vcpu.Data.TryWrite(address, new TableOperand(table.Limit, table.Base), isStack)
            : vcpu.Data.TryWrite(address, new NarrowTableOperand(table.Limit, (uint)table.Base), isStack);
        return isStored ? ManagedOutcome.Next : ManagedOutcome.Fault;
    }

    private static bool TryReadTable(Vcpu vcpu, in Instruction instruction, out DescriptorTableRegister table)
    {
        table = default;
        if (vcpu.System.Cpl != 0)
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
        ulong address = Operands.Address(vcpu, instruction);
        bool isStack = Operands.IsStackReference(instruction);
        if (vcpu.Mode != ProcessorMode.Long64)
        {
            if (!vcpu.Data.TryRead(address, out NarrowTableOperand narrow, isStack))
                return false;

            // A 16-bit operand has 24 bits of base.
            bool is16Bit = instruction.Code is Code.Lgdt_m1632_16 or Code.Lidt_m1632_16;
            table = new DescriptorTableRegister(is16Bit ? narrow.Base & 0xFF_FFFF : narrow.Base, narrow.Limit);
            return true;
        }

        if (!vcpu.Data.TryRead(address, out TableOperand operand, isStack))
            return false;
        table = new DescriptorTableRegister(operand.Base, operand.Limit);
        return Canonical.Is(operand.Base, vcpu.Features.LinearAddressBits) || vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
    }

    // A descriptor of the GDT that must be of one kind: of 16 bytes in IA-32e mode.
    private static bool TryReadSystem(
        Vcpu vcpu, ushort selector, SystemSegment kind, out SegmentRegister register, out SegmentDescriptor descriptor)
    {
        register = default;
        descriptor = default;
        uint errorCode = Selectors.ErrorCode(selector);
        if (Selectors.IsLocal(selector))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        if (!SegmentLoading.TryRead(vcpu, selector, out descriptor))
            return false;
        if (!descriptor.IsSystem || !IsOfKind(vcpu, descriptor.Type, kind))
            return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
        if (!descriptor.IsPresent)
            return vcpu.Faults.Raise(ExceptionVector.SegmentNotPresent, errorCode);
        register = descriptor.ToRegister(selector);
        return !vcpu.Mode.IsLong() || TryReadUpper(vcpu, selector, ref register);
    }

    private static bool TryReadUpper(Vcpu vcpu, ushort selector, ref SegmentRegister register)
    {
        const ulong UpperReserved = 0x1F00UL << 32;
        uint errorCode = Selectors.ErrorCode(selector);
        switch (DescriptorTables.ReadUpper(vcpu, selector, out ulong upper))
        {
            case DescriptorLookup.Found:
                register = register with { Base = register.Base | (upper << 32) };
                return ((upper & UpperReserved) == 0 && Canonical.Is(register.Base, vcpu.Features.LinearAddressBits))
                    || vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
            case DescriptorLookup.OutsideTable:
                return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, errorCode);
            default:
                return false;
        }
    }

    private static bool IsOfKind(Vcpu vcpu, int type, SystemSegment kind) => kind == SystemSegment.LocalTable
        ? type == SegmentDescriptor.LocalDescriptorTable
        : type == SegmentDescriptor.AvailableTss || (type == SegmentDescriptor.AvailableTss16 && !vcpu.Mode.IsLong());

    private enum SystemSegment
    {
        LocalTable,
        AvailableTask,
    }

    // m16&32
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly struct NarrowTableOperand(ushort limit, uint address)
    {
        public readonly ushort Limit = limit;
        public readonly uint Base = address;
    }

    // m16&64
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly struct TableOperand(ushort limit, ulong address)
    {
        public readonly ushort Limit = limit;
        public readonly ulong Base = address;
    }
}
