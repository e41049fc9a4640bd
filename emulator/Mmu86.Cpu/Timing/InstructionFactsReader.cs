using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Reads from a decoded instruction what timing must know of it.</summary>
internal sealed class InstructionFactsReader
{
    private const byte UnknownBytes = 8;
    private const uint StackPointer = 1u << 4;
    private const uint StringRegisters = (1u << 1) | (1u << 6) | (1u << 7); // RCX, RSI, RDI

    private readonly InstructionInfoFactory _factory = new();

    /// <summary>The facts of an instruction.</summary>
    public InstructionFacts Read(in Instruction instruction)
    {
        InstructionInfo info = _factory.GetInfo(instruction);
        uint reads = 0;
        uint writes = 0;
        foreach (UsedRegister used in info.GetUsedRegisters())
        {
            uint bit = Bit(used.Register);
            if (used.Access is OpAccess.Read or OpAccess.CondRead or OpAccess.ReadWrite or OpAccess.ReadCondWrite)
                reads |= bit;
            if (used.Access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite)
                writes |= bit;
        }

        uint addresses = 0;
        int bytes = 0;
        InstructionTraits traits = (Serialises(instruction) ? InstructionTraits.Serialises : InstructionTraits.None)
            | (IsMove(instruction) ? InstructionTraits.None : InstructionTraits.Computes);
        foreach (UsedMemory used in info.GetUsedMemory())
        {
            addresses |= Bit(used.Base) | Bit(used.Index);
            bytes = Math.Max(bytes, used.MemorySize.GetSize());
            if (used.Access is OpAccess.ReadWrite or OpAccess.ReadCondWrite)
                traits |= InstructionTraits.Modifies;
        }

        if (instruction.RflagsRead != RflagsBits.None)
            reads |= 1u << InstructionFacts.Flags;
        if (instruction.RflagsModified != RflagsBits.None)
            writes |= 1u << InstructionFacts.Flags;
        if (instruction.IsStackInstruction)
            writes &= ~StackPointer;
        if (instruction.IsStringInstruction)
            writes &= ~StringRegisters;
        return new InstructionFacts
        {
            Reads = reads,
            Addresses = addresses,
            Writes = writes,
            Length = (byte)instruction.Length,
            AccessBytes = bytes is > 0 and <= byte.MaxValue ? (byte)bytes : UnknownBytes,
            Traits = traits,
        };
    }

    private static uint Bit(Register register) => register.IsGPR() ? 1u << register.GetFullRegister().GetNumber() : 0;

    private static bool Serialises(in Instruction instruction) => instruction.IsPrivileged || instruction.Mnemonic is
        Mnemonic.Rdtsc or Mnemonic.Rdtscp or Mnemonic.Cpuid or Mnemonic.Lfence or Mnemonic.Mfence
        or Mnemonic.Iret or Mnemonic.Iretd or Mnemonic.Iretq or Mnemonic.Syscall or Mnemonic.Sysenter
        or Mnemonic.Int or Mnemonic.Int1 or Mnemonic.Int3 or Mnemonic.Into or Mnemonic.In or Mnemonic.Out;

    private static bool IsMove(in Instruction instruction) => instruction.Mnemonic is
        Mnemonic.Mov or Mnemonic.Movzx or Mnemonic.Movsx or Mnemonic.Movsxd or Mnemonic.Pop or Mnemonic.Push or Mnemonic.Leave
        or Mnemonic.Lodsb or Mnemonic.Lodsw or Mnemonic.Lodsd or Mnemonic.Lodsq;
}
