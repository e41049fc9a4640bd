using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Finds the managed implementation of an instruction that has no handler of its own.</summary>
/// <remarks>The groups are the manual's. What is in none of them is not there yet, or does not exist.</remarks>
internal static unsafe class ManagedInstructions
{
    /// <summary>The implementation; one that reports the instruction as not supported, or raises #UD, where there is none.</summary>
    public static delegate*<Vcpu, in Instruction, ManagedOutcome> Find(in Instruction instruction)
    {
        if (instruction.IsInvalid)
            return &Unsupported.Undefined;
        delegate*<Vcpu, in Instruction, ManagedOutcome> found = FindSystem(instruction);
        if (found == null)
            found = FindSegment(instruction);
        if (found == null)
            found = FindTransfer(instruction);
        if (found == null)
            found = Strings.Find(instruction);
        if (found == null)
            found = GeneralPurposeInstructions.Find(instruction);
        return found == null ? AbsentInstructions.Find(instruction) : found;
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
        Mnemonic.Invlpg => &TranslationInvalidation.Page,
        Mnemonic.Invpcid => &TranslationInvalidation.Context,
        Mnemonic.Invlpga => &TranslationInvalidation.PageOfAsid,
        Mnemonic.Invlpgb => &BroadcastInvalidation.Invalidate,
        Mnemonic.Tlbsync => &BroadcastInvalidation.Synchronize,
        Mnemonic.Vmfunc => &VmFunctions.Invoke,
        Mnemonic.Invd or Mnemonic.Wbinvd or Mnemonic.Wbnoinvd => &TranslationInvalidation.Caches,
        Mnemonic.Clflush or Mnemonic.Clflushopt or Mnemonic.Clwb => &TranslationInvalidation.CacheLine,
        Mnemonic.In => &PortInstructions.In,
        Mnemonic.Out => &PortInstructions.Out,
        Mnemonic.Insb or Mnemonic.Insw or Mnemonic.Insd => &PortStrings.In,
        Mnemonic.Outsb or Mnemonic.Outsw or Mnemonic.Outsd => &PortStrings.Out,
        Mnemonic.Hlt => &ProcessorControl.Halt,
        Mnemonic.Cli => &ProcessorControl.ClearInterruptFlag,
        Mnemonic.Sti => &ProcessorControl.SetInterruptFlag,
        Mnemonic.Clac => &ProcessorControl.ClearAlignmentCheck,
        Mnemonic.Stac => &ProcessorControl.SetAlignmentCheck,
        Mnemonic.Rdpkru => &ProcessorControl.ReadKeyRights,
        Mnemonic.Wrpkru => &ProcessorControl.WriteKeyRights,
        Mnemonic.Monitor => &ProcessorControl.Monitor,
        Mnemonic.Mwait => &ProcessorControl.Wait,
        Mnemonic.Wait => &ProcessorControl.WaitForCoprocessor,
        _ => null,
    };

    // Segment registers and descriptor tables.
    private static delegate*<Vcpu, in Instruction, ManagedOutcome> FindSegment(in Instruction instruction) => instruction.Mnemonic switch
    {
        Mnemonic.Mov when Moves(instruction, static register => register.IsSegmentRegister()) => &SegmentInstructions.Move,
        Mnemonic.Push when instruction.Op0Register.IsSegmentRegister() => &SegmentInstructions.Push,
        Mnemonic.Pop when instruction.Op0Register.IsSegmentRegister() => &SegmentInstructions.Pop,
        Mnemonic.Lds or Mnemonic.Les or Mnemonic.Lfs or Mnemonic.Lgs or Mnemonic.Lss => &SegmentInstructions.LoadFarPointer,
        Mnemonic.Rdfsbase or Mnemonic.Rdgsbase => &SegmentInstructions.ReadBase,
        Mnemonic.Wrfsbase or Mnemonic.Wrgsbase => &SegmentInstructions.WriteBase,
        Mnemonic.Lgdt => &DescriptorTableInstructions.LoadGlobal,
        Mnemonic.Lidt => &DescriptorTableInstructions.LoadInterrupt,
        Mnemonic.Sgdt => &DescriptorTableInstructions.StoreGlobal,
        Mnemonic.Sidt => &DescriptorTableInstructions.StoreInterrupt,
        Mnemonic.Lldt => &DescriptorTableInstructions.LoadLocal,
        Mnemonic.Ltr => &DescriptorTableInstructions.LoadTask,
        Mnemonic.Sldt => &DescriptorTableInstructions.StoreLocal,
        Mnemonic.Str => &DescriptorTableInstructions.StoreTask,
        Mnemonic.Lar => &SelectorChecks.LoadAccessRights,
        Mnemonic.Lsl => &SelectorChecks.LoadLimit,
        Mnemonic.Verr => &SelectorChecks.VerifyRead,
        Mnemonic.Verw => &SelectorChecks.VerifyWrite,
        Mnemonic.Arpl => &SelectorChecks.AdjustPrivilege,
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
        Mnemonic.Into => &SoftwareInterrupts.Overflow,
        Mnemonic.Int3 => &SoftwareInterrupts.Breakpoint,
        Mnemonic.Int1 => &SoftwareInterrupts.Debug,
        Mnemonic.Jmp when instruction.IsJmpFarIndirect || instruction.IsJmpFar => &FarTransfers.Jump,
        Mnemonic.Call when instruction.IsCallFarIndirect || instruction.IsCallFar => &FarTransfers.Call,
        Mnemonic.Retf => &FarReturn.Execute,
        Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq => &InterruptReturn.Execute,
        _ => null,
    };

    private static bool Moves(in Instruction instruction, Func<Register, bool> isOfKind) =>
        isOfKind(instruction.Op0Register) || isOfKind(instruction.Op1Register);
}
