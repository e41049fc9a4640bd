using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.X86;

namespace Mmu86.Tests.Cpu;

/// <summary>How a run of a few instructions ended, in the words of the tables.</summary>
internal static class MachineOutcome
{
    /// <summary>Runs to a handler and says which: <c>#GP 0x10</c>, <c>#UD</c>, <c>triple</c>, <c>unsupported</c>.</summary>
    public static string Run(BareMachine machine)
    {
        VmExit exit = machine.Run();
        switch (exit.Reason)
        {
            case VmExitReason.TripleFault:
                return "triple";
            case VmExitReason.NotSupported:
                return "unsupported";
            case VmExitReason.Halt:
                break;
            default:
                return exit.Reason.ToString();
        }

        ulong offset = machine.Registers.Rip - 1 - BareMachine.Handlers;
        if (offset >= 256 * 16)
            return "halt";
        var vector = (ExceptionVector)(offset / 16);
        if ((byte)vector >= 32)
            return $"vector {(byte)vector}";
        return vector.HasErrorCode() ? $"{vector.Mnemonic()} 0x{machine.Frame(vector).ErrorCode:x}" : vector.Mnemonic();
    }
}
