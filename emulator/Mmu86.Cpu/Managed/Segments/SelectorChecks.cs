using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>LAR, LSL, VERR, VERW and ARPL: ZF says whether a selector could be used, or was changed.</summary>
internal static class SelectorChecks
{
    private const ulong AccessRightsMask = 0x00F0_FF00;

    /// <summary>LAR.</summary>
    public static ManagedOutcome LoadAccessRights(Vcpu vcpu, in Instruction instruction)
    {
        ManagedOutcome outcome = Check(vcpu, instruction, 1, IsReadableByLar, out SegmentDescriptor descriptor, out bool isUsable);
        if (isUsable)
            vcpu.Registers.Write(instruction.Op0Register, (descriptor.Value >> 32) & AccessRightsMask);
        return outcome;
    }

    /// <summary>LSL.</summary>
    public static ManagedOutcome LoadLimit(Vcpu vcpu, in Instruction instruction)
    {
        ManagedOutcome outcome = Check(vcpu, instruction, 1, HasLimit, out SegmentDescriptor descriptor, out bool isUsable);
        if (isUsable)
            vcpu.Registers.Write(instruction.Op0Register, descriptor.Limit);
        return outcome;
    }

    /// <summary>VERR.</summary>
    public static ManagedOutcome VerifyRead(Vcpu vcpu, in Instruction instruction) =>
        Check(vcpu, instruction, 0, static (descriptor, _) => descriptor.IsReadable, out _, out _);

    /// <summary>VERW.</summary>
    public static ManagedOutcome VerifyWrite(Vcpu vcpu, in Instruction instruction) =>
        Check(vcpu, instruction, 0, static (descriptor, _) => descriptor.IsWritableData, out _, out _);

    /// <summary>ARPL: the destination's RPL is raised to the source's.</summary>
    public static ManagedOutcome AdjustPrivilege(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.Mode.HasParagraphs())
            return Raise.InvalidOpcode(vcpu);
        if (!Operands.TryRead(vcpu, instruction, 0, out ulong destination))
            return ManagedOutcome.Fault;
        int rpl = Selectors.Rpl((ushort)vcpu.Registers.Read(instruction.Op1Register));
        bool isRaised = Selectors.Rpl((ushort)destination) < rpl;

        // A decoder may call the register of 16 bits one of 32: the rest of it stays.
        ulong raised = (destination & ~(ulong)ushort.MaxValue) | Selectors.WithRpl((ushort)destination, rpl);
        if (isRaised && !Operands.TryWrite(vcpu, instruction, 0, raised))
            return ManagedOutcome.Fault;
        SetZero(vcpu, isRaised);
        return ManagedOutcome.Next;
    }

    // IA-32e mode knows LDT, 64-bit TSS and 64-bit call gate; gates have no limit.
    private static bool HasLimit(SegmentDescriptor descriptor, bool isLong) =>
        !descriptor.IsSystem || descriptor.Type switch
        {
            SegmentDescriptor.LocalDescriptorTable or SegmentDescriptor.AvailableTss or SegmentDescriptor.BusyTss => true,
            SegmentDescriptor.AvailableTss16 or SegmentDescriptor.BusyTss16 => !isLong,
            _ => false,
        };

    private static bool IsReadableByLar(SegmentDescriptor descriptor, bool isLong) =>
        HasLimit(descriptor, isLong) || descriptor.Type == SegmentDescriptor.CallGate
        || (!isLong && descriptor.Type is SegmentDescriptor.CallGate16 or SegmentDescriptor.TaskGate);

    private static void SetZero(Vcpu vcpu, bool isSet) =>
        vcpu.Registers.Flags = isSet ? vcpu.Registers.Flags | RFlags.Zero : vcpu.Registers.Flags & ~RFlags.Zero;

    private static ManagedOutcome Check(
        Vcpu vcpu, in Instruction instruction, int operand, Func<SegmentDescriptor, bool, bool> isOfType, out SegmentDescriptor descriptor, out bool isUsable)
    {
        descriptor = default;
        isUsable = false;
        if (vcpu.Mode.HasParagraphs())
            return Raise.InvalidOpcode(vcpu);
        if (!Operands.TryRead(vcpu, instruction, operand, out ulong value))
            return ManagedOutcome.Fault;
        var selector = (ushort)value;
        if (!Selectors.IsNull(selector))
        {
            switch (DescriptorTables.Read(vcpu, selector, out descriptor))
            {
                case DescriptorLookup.Fault:
                    return ManagedOutcome.Fault;
                case DescriptorLookup.Found:
                    bool isPrivileged = descriptor.IsConforming || descriptor.Dpl >= Math.Max(Selectors.Rpl(selector), vcpu.System.Cpl);
                    isUsable = isPrivileged && isOfType(descriptor, vcpu.Mode.IsLong());
                    break;
                case DescriptorLookup.OutsideTable:
                    break;
            }
        }

        SetZero(vcpu, isUsable);
        return ManagedOutcome.Next;
    }
}
