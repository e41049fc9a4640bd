using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>General-purpose instructions that are too rare for a handler of their own.</summary>
internal static unsafe class GeneralPurposeInstructions
{
    /// <summary>The implementation, or null.</summary>
    public static delegate*<Vcpu, in Instruction, ManagedOutcome> Find(in Instruction instruction) => instruction.Mnemonic switch
    {
        Mnemonic.Pushf or Mnemonic.Pushfq => &FlagInstructions.Push,
        Mnemonic.Popf or Mnemonic.Popfq => &FlagInstructions.Pop,
        Mnemonic.Lahf => &FlagInstructions.LoadToAh,
        Mnemonic.Sahf => &FlagInstructions.StoreFromAh,
        Mnemonic.Pop when instruction.Op0Kind == OpKind.Memory => &StackInstructions.PopToMemory,
        Mnemonic.Enter => &StackInstructions.Enter,
        Mnemonic.Xlatb => &BitAndByteInstructions.Translate,
        Mnemonic.Bswap => &BitAndByteInstructions.SwapBytes16,
        Mnemonic.Popcnt => &BitAndByteInstructions.CountOnes,
        Mnemonic.Bt => &BitAndByteInstructions.Test,
        Mnemonic.Bts => &BitAndByteInstructions.Set,
        Mnemonic.Btr => &BitAndByteInstructions.Reset,
        Mnemonic.Btc => &BitAndByteInstructions.Complement,
        Mnemonic.Cmpxchg8b => &WideExchanges.CompareExchange8,
        Mnemonic.Cmpxchg16b => &WideExchanges.CompareExchange16,
        _ => null,
    };
}
