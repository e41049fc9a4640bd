using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>LAR, LSL, VERR and VERW: ZF says whether a selector could be used.</summary>
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
        Check(vcpu, instruction, 0, static descriptor => descriptor.IsReadable, out _, out _);

    /// <summary>VERW.</summary>
    public static ManagedOutcome VerifyWrite(Vcpu vcpu, in Instruction instruction) =>
        Check(vcpu, instruction, 0, static descriptor => descriptor.IsWritableData, out _, out _);

    // 64-bit mode knows LDT, TSS and call gate; gates have no limit.
    private static bool HasLimit(SegmentDescriptor descriptor) =>
        !descriptor.IsSystem
        || descriptor.Type is SegmentDescriptor.LocalDescriptorTable or SegmentDescriptor.AvailableTss or SegmentDescriptor.BusyTss;

    private static bool IsReadableByLar(SegmentDescriptor descriptor) =>
        HasLimit(descriptor) || descriptor.Type == SegmentDescriptor.CallGate;

    private static ManagedOutcome Check(
        Vcpu vcpu, in Instruction instruction, int operand, Func<SegmentDescriptor, bool> isOfType, out SegmentDescriptor descriptor, out bool isUsable)
    {
        descriptor = default;
        isUsable = false;
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
                    isUsable = isPrivileged && isOfType(descriptor);
                    break;
                case DescriptorLookup.OutsideTable:
                    break;
            }
        }

        vcpu.Registers.Flags = isUsable ? vcpu.Registers.Flags | RFlags.Zero : vcpu.Registers.Flags & ~RFlags.Zero;
        return ManagedOutcome.Next;
    }
}
