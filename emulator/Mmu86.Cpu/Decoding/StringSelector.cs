using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Handlers of string instructions that are not repeated; repeated ones are for managed code.</summary>
internal static unsafe class StringSelector
{
    public static nint Select(ref Selection x)
    {
        if (x.Instruction.HasRepPrefix || x.Instruction.HasRepnePrefix)
            return 0;
        return x.MemoryBytes switch
        {
            1 => Select<W8>(ref x),
            2 => Select<W16>(ref x),
            4 => Select<W32>(ref x),
            _ => Select<W64>(ref x),
        };
    }

    private static nint Select<TWidth>(ref Selection x)
        where TWidth : struct, IWidth
    {
        OpKind first = x.Instruction.Op0Kind;
        OpKind second = x.Instruction.Op1Kind;
        x.Op->Address32 = IsNarrow(first) || IsNarrow(second) ? (byte)1 : (byte)0;
        x.Op->Segment = RegisterOffsets.OfSegment(x.Instruction.SegmentPrefix);
        switch (x.Instruction.Code)
        {
            case Code.Movsb_m8_m8 or Code.Movsw_m16_m16 or Code.Movsd_m32_m32 or Code.Movsq_m64_m64:
                x.Loads = 1;
                x.Stores = 1;
                return Handlers.Of(&StringElements<FilteredMemory, TWidth>.Move);
            case Code.Stosb_m8_AL or Code.Stosw_m16_AX or Code.Stosd_m32_EAX or Code.Stosq_m64_RAX:
                x.Stores = 1;
                return Handlers.Of(&StringElements<FilteredMemory, TWidth>.Store);
            case Code.Lodsb_AL_m8 or Code.Lodsw_AX_m16 or Code.Lodsd_EAX_m32 or Code.Lodsq_RAX_m64:
                x.Loads = 1;
                return Handlers.Of(&StringElements<FilteredMemory, TWidth>.Load);
            case Code.Scasb_AL_m8 or Code.Scasw_AX_m16 or Code.Scasd_EAX_m32 or Code.Scasq_RAX_m64:
                x.Loads = 1;
                return Handlers.Of(&StringElements<FilteredMemory, TWidth>.Scan);
            case Code.Cmpsb_m8_m8 or Code.Cmpsw_m16_m16 or Code.Cmpsd_m32_m32 or Code.Cmpsq_m64_m64:
                x.Loads = 2;
                return Handlers.Of(&StringElements<FilteredMemory, TWidth>.Compare);
            default:
                return 0; // MOVSD and CMPSD are names of vector instructions too
        }
    }

    private static bool IsNarrow(OpKind kind) => kind is OpKind.MemorySegESI or OpKind.MemoryESEDI;
}
