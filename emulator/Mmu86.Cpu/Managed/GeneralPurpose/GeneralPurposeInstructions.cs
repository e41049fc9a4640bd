using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>General-purpose instructions that are too rare for a handler of their own.</summary>
internal static unsafe class GeneralPurposeInstructions
{
    /// <summary>The implementation, or null.</summary>
    public static delegate*<Vcpu, in Instruction, ManagedOutcome> Find(in Instruction instruction) => instruction.Mnemonic switch
    {
        Mnemonic.Pushf or Mnemonic.Pushfd or Mnemonic.Pushfq => &FlagInstructions.Push,
        Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq => &FlagInstructions.Pop,
        Mnemonic.Lahf => &FlagInstructions.LoadToAh,
        Mnemonic.Sahf => &FlagInstructions.StoreFromAh,
        Mnemonic.Pop when instruction.Op0Kind == OpKind.Memory => &StackInstructions.PopToMemory,
        Mnemonic.Push when instruction.Op0Kind == OpKind.Memory => &StackInstructions.PushMemory,
        Mnemonic.Pusha or Mnemonic.Pushad => &StackInstructions.PushAll,
        Mnemonic.Popa or Mnemonic.Popad => &StackInstructions.PopAll,
        Mnemonic.Leave => &StackInstructions.Leave,
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
        Mnemonic.Aaa => &DecimalInstructions.AsciiAdjustAfterAddition,
        Mnemonic.Aas => &DecimalInstructions.AsciiAdjustAfterSubtraction,
        Mnemonic.Aam => &DecimalInstructions.AsciiAdjustAfterMultiplication,
        Mnemonic.Aad => &DecimalInstructions.AsciiAdjustBeforeDivision,
        Mnemonic.Daa => &DecimalInstructions.DecimalAdjustAfterAddition,
        Mnemonic.Das => &DecimalInstructions.DecimalAdjustAfterSubtraction,
        Mnemonic.Jmp when instruction.Code is Code.Jmp_rm16 or Code.Jmp_rm32 => &NarrowInstructions.Jump,
        Mnemonic.Call when instruction.Code is Code.Call_rm16 or Code.Call_rm32 => &NarrowInstructions.Call,
        Mnemonic.Bound => &NarrowInstructions.CheckBounds,
        Mnemonic.Salc => &NarrowInstructions.SetAlFromCarry,
        _ => null,
    };
}
