using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Finds the managed implementation of an instruction that has no handler of its own.</summary>
/// <remarks>The groups are the manual's. What is in none of them is not there yet, or does not exist.</remarks>
internal static unsafe partial class ManagedInstructions
{
    /// <summary>The implementation; one that reports the instruction as not supported, or raises #UD, where there is none.</summary>
    public static delegate*<Vcpu, in Instruction, ManagedOutcome> Find(in Instruction instruction)
    {
        if (instruction.IsInvalid)
            return &Unsupported.Undefined;
        delegate*<Vcpu, in Instruction, ManagedOutcome> found = FindSystem(instruction);
        if (found == null)
            found = FindTransfer(instruction);
        if (found == null)
            found = Strings.Find(instruction);
        return found == null ? FindAbsent(instruction) : found;
    }

    // System instructions: registers of the processor, and what they control.
    private static delegate*<Vcpu, in Instruction, ManagedOutcome> FindSystem(in Instruction instruction) => instruction.Mnemonic switch
    {
        Mnemonic.Cpuid => &ProcessorIdentification.Cpuid,
        Mnemonic.Rdtsc => &ProcessorIdentification.ReadTimeStamp,
        Mnemonic.Rdtscp => &ProcessorIdentification.ReadTimeStampAndAux,
        Mnemonic.Rdpmc => &ProcessorIdentification.ReadPerformanceCounter,
        Mnemonic.Rdmsr => &ModelSpecificRegisters.Read,
        Mnemonic.Wrmsr => &ModelSpecificRegisters.Write,
        Mnemonic.Mov when Moves(instruction, static register => register.IsCR()) => &ControlRegisters.Move,
        Mnemonic.Mov when Moves(instruction, static register => register.IsDR()) => &DebugRegisters.Move,
        Mnemonic.Lmsw => &ControlRegisters.LoadMachineStatus,
        Mnemonic.Smsw => &ControlRegisters.StoreMachineStatus,
        Mnemonic.Clts => &ControlRegisters.ClearTaskSwitched,
        Mnemonic.Hlt => &ProcessorControl.Halt,
        Mnemonic.Cli => &ProcessorControl.ClearInterruptFlag,
        Mnemonic.Sti => &ProcessorControl.SetInterruptFlag,
        Mnemonic.Clac => &ProcessorControl.ClearAlignmentCheck,
        Mnemonic.Stac => &ProcessorControl.SetAlignmentCheck,
        Mnemonic.Monitor => &ProcessorControl.Monitor,
        Mnemonic.Mwait => &ProcessorControl.Wait,
        _ => null,
    };

    // Transfers that change privilege or leave the code segment.
    private static delegate*<Vcpu, in Instruction, ManagedOutcome> FindTransfer(in Instruction instruction) => instruction.Mnemonic switch
    {
        Mnemonic.Syscall => &SystemCalls.Syscall,
        Mnemonic.Sysret or Mnemonic.Sysretq => &SystemCalls.Sysret,
        Mnemonic.Sysenter => &SystemCalls.Sysenter,
        Mnemonic.Sysexit or Mnemonic.Sysexitq => &SystemCalls.Sysexit,
        Mnemonic.Swapgs => &SystemCalls.SwapGs,
        Mnemonic.Int => &SoftwareInterrupts.Interrupt,
        Mnemonic.Int3 => &SoftwareInterrupts.Breakpoint,
        Mnemonic.Int1 => &SoftwareInterrupts.Debug,
        Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq => &InterruptReturn.Execute,
        _ => null,
    };

    private static delegate*<Vcpu, in Instruction, ManagedOutcome> FindAbsent(in Instruction instruction) => instruction.Mnemonic switch
    {
        Mnemonic.Nop => &Unsupported.Marker,
        Mnemonic.Ud0 or Mnemonic.Ud1 or Mnemonic.Ud2 => &Unsupported.Undefined,
        _ => &Unsupported.Refuse,
    };

    private static bool Moves(in Instruction instruction, Func<Register, bool> isOfKind) =>
        isOfKind(instruction.Op0Register) || isOfKind(instruction.Op1Register);
}
