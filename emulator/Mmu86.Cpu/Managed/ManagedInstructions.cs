using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Finds the managed implementation of an instruction that has no handler of its own.</summary>
internal static unsafe class ManagedInstructions
{
    /// <summary>The implementation; one that reports the instruction as not supported, or raises #UD, where there is none.</summary>
    public static delegate*<Vcpu, in Instruction, ManagedOutcome> Find(in Instruction instruction)
    {
        if (instruction.IsInvalid)
            return &Unsupported.Undefined;
        return instruction.Mnemonic switch
        {
            Mnemonic.Nop => &Unsupported.Marker,
            Mnemonic.Ud0 or Mnemonic.Ud1 or Mnemonic.Ud2 => &Unsupported.Undefined,
            _ => &Unsupported.Refuse,
        };
    }
}
