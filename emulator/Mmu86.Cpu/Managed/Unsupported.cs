using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Instructions that are undefined, not there yet, or of Mmu86's own meaning.</summary>
internal static class Unsupported
{
    /// <summary>#UD.</summary>
    public static ManagedOutcome Undefined(Vcpu vcpu, in Instruction instruction)
    {
        vcpu.Faults.Raise(ExceptionVector.InvalidOpcode, 0);
        return ManagedOutcome.Fault;
    }

    /// <summary>#GP(0): more than 15 bytes.</summary>
    public static ManagedOutcome TooLong(Vcpu vcpu, in Instruction instruction) => Raise.GeneralProtection(vcpu, 0);

    /// <summary>No operation.</summary>
    public static ManagedOutcome Nothing(Vcpu vcpu, in Instruction instruction) => ManagedOutcome.Next;

    /// <summary>Says which instruction Mmu86 does not have yet.</summary>
    public static ManagedOutcome Refuse(Vcpu vcpu, in Instruction instruction)
    {
        vcpu.RequestedExit = new VmExit
        {
            Reason = VmExitReason.NotSupported,
            Linear = new LinearAddress(vcpu.Registers.Rip),
            Detail = $"instruction '{Text(instruction, vcpu.Registers.Rip)}' at 0x{vcpu.Registers.Rip:x}",
        };
        return ManagedOutcome.Refused;
    }

    /// <summary>Code cannot be fetched from a device or from where there is no memory.</summary>
    public static ManagedOutcome FetchFromDevice(Vcpu vcpu, in Instruction instruction)
    {
        vcpu.RequestedExit = new VmExit
        {
            Reason = VmExitReason.NotSupported,
            Linear = new LinearAddress(vcpu.Registers.Rip),
            Detail = $"instruction fetch at 0x{vcpu.Registers.Rip:x}, which is not RAM",
        };
        return ManagedOutcome.Refused;
    }

    /// <summary>A marker of the measured part: a NOP that ends the block and is a VM exit.</summary>
    public static ManagedOutcome Marker(Vcpu vcpu, in Instruction instruction)
    {
        vcpu.RequestedExit = new VmExit { Reason = VmExitReason.Marker, Marker = instruction.MemoryDisplacement32 };
        return ManagedOutcome.Exit;
    }

    // The instruction was decoded with RIP = page offset; its text wants the real one.
    private static string Text(Instruction instruction, ulong rip)
    {
        instruction.IP = rip;
        var output = new StringOutput();
        new NasmFormatter().Format(instruction, output);
        return output.ToStringAndReset();
    }
}
