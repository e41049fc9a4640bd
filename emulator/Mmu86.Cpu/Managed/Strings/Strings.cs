using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Finds the implementations of MOVS, STOS, LODS, SCAS and CMPS. SDM 1, "String Operations".</summary>
/// <remarks>Without a prefix they have handlers in 64-bit mode. Either prefix repeats; for MOVS, STOS and LODS the manual leaves REPNE open, and processors take it for REP.</remarks>
internal static unsafe class Strings
{
    /// <summary>The implementation; null where the instruction is none of these.</summary>
    public static delegate*<Vcpu, in Instruction, ManagedOutcome> Find(in Instruction instruction) => instruction.Code switch
    {
        Code.Movsb_m8_m8 or Code.Movsw_m16_m16 or Code.Movsd_m32_m32 or Code.Movsq_m64_m64 => OfSize<MoveString>(instruction),
        Code.Stosb_m8_AL or Code.Stosw_m16_AX or Code.Stosd_m32_EAX or Code.Stosq_m64_RAX => OfSize<StoreString>(instruction),
        Code.Lodsb_AL_m8 or Code.Lodsw_AX_m16 or Code.Lodsd_EAX_m32 or Code.Lodsq_RAX_m64 => OfSize<LoadString>(instruction),
        Code.Scasb_AL_m8 or Code.Scasw_AX_m16 or Code.Scasd_EAX_m32 or Code.Scasq_RAX_m64 => OfSize<ScanString>(instruction),
        Code.Cmpsb_m8_m8 or Code.Cmpsw_m16_m16 or Code.Cmpsd_m32_m32 or Code.Cmpsq_m64_m64 => OfSize<CompareStrings>(instruction),
        _ => null,
    };

    private static delegate*<Vcpu, in Instruction, ManagedOutcome> OfSize<TOperation>(in Instruction instruction)
        where TOperation : struct, IStringOperation
    {
        bool isRepeated = instruction.HasRepPrefix || instruction.HasRepnePrefix;
        return instruction.MemorySize.GetSize() switch
        {
            1 => isRepeated ? &RepeatedString<TOperation, W8, byte>.Execute : &RepeatedString<TOperation, W8, byte>.ExecuteOnce,
            2 => isRepeated ? &RepeatedString<TOperation, W16, ushort>.Execute : &RepeatedString<TOperation, W16, ushort>.ExecuteOnce,
            4 => isRepeated ? &RepeatedString<TOperation, W32, uint>.Execute : &RepeatedString<TOperation, W32, uint>.ExecuteOnce,
            _ => &RepeatedString<TOperation, W64, ulong>.Execute,
        };
    }
}
