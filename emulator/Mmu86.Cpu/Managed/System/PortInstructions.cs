using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>IN and OUT. They end the block: a device may ask for the run to stop.</summary>
internal static class PortInstructions
{
    /// <summary>IN.</summary>
    public static ManagedOutcome In(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Op0Register.GetSize();
        ushort port = Port(vcpu, instruction, 1);
        if (!PortAccess.TryCheck(vcpu, port, size))
            return ManagedOutcome.Fault;
        vcpu.Breakpoints.PortAccessed(port, (uint)size);
        vcpu.Registers.Write(instruction.Op0Register, vcpu.Bus.Ports.Read(port, size));
        return ManagedOutcome.EndBlock;
    }

    /// <summary>OUT.</summary>
    public static ManagedOutcome Out(Vcpu vcpu, in Instruction instruction)
    {
        int size = instruction.Op1Register.GetSize();
        ushort port = Port(vcpu, instruction, 0);
        if (!PortAccess.TryCheck(vcpu, port, size))
            return ManagedOutcome.Fault;
        vcpu.Breakpoints.PortAccessed(port, (uint)size);
        vcpu.Bus.Ports.Write(port, (uint)vcpu.Registers.Read(instruction.Op1Register), size);
        return ManagedOutcome.EndBlock;
    }

    private static ushort Port(Vcpu vcpu, in Instruction instruction, int operand) =>
        instruction.GetOpKind(operand) == OpKind.Register ? (ushort)vcpu.Registers.Rdx : instruction.Immediate8;
}
