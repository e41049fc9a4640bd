using Iced.Intel;
using Mmu86.Cpu;

namespace Mmu86.Tests.Cpu;

/// <summary>One instruction that handlers run, or a pair that runs as one op.</summary>
/// <param name="Text">For people.</param>
/// <param name="First">Decoded with RIP 0 of its page, as the block builder does.</param>
/// <param name="Jump">The conditional jump of a pair.</param>
internal sealed record HandlerForm(string Text, Instruction First, Instruction? Jump);

/// <summary>Every instruction form that the decoder may have a handler for: all encodings of 64-bit mode with integer operands.</summary>
/// <remarks>
/// Operands are chosen so that an instruction can be repeated any number of times: destinations in RSI, sources in RDI, memory at RBX, an index
/// in R14. What the decoder has no handler for is left to its selector to say.
/// </remarks>
internal static class HandlerForms
{
    /// <summary>Where near branches go, in the page of the instruction.</summary>
    public const ulong NearTarget = 0x20;

    /// <summary>Where near branches go that leave the page.</summary>
    public const ulong FarTarget = 0x2000;

    private enum OperandPlace
    {
        Register,
        Base,
        Indexed,
        Segmented,
    }

    /// <summary>All forms, pairs last.</summary>
    public static IEnumerable<HandlerForm> All()
    {
        var singles = new List<Instruction>();
        foreach (Code code in Enum.GetValues<Code>())
        {
            OpCodeInfo form = code.ToOpCode();
            if (form.IsInstruction && form.Encoding == EncodingKind.Legacy && form.Mode64 && form.IntelDecoder64)
                singles.AddRange(Variants(form));
        }

        foreach (Instruction single in singles)
            yield return new HandlerForm(Text(single), single, null);

        List<Instruction> jumps = singles.FindAll(single => single.IsJccShort);
        foreach (Instruction first in singles.Where(single => Fusing.CanLead(single)))
        {
            foreach (Instruction jump in jumps.Where(jump => Fusing.CanFuse(first, jump)))
                yield return new HandlerForm($"{Text(first)} + {Text(jump)}", first, jump);
        }
    }

    private static IEnumerable<Instruction> Variants(OpCodeInfo form)
    {
        foreach (OperandPlace place in Enum.GetValues<OperandPlace>())
        {
            if (TryMake(form, place, NearTarget, out Instruction instruction))
                yield return instruction;
        }

        if (form.OpCount == 1 && form.Op0Kind == OpCodeOperandKind.br64_4 && TryMake(form, OperandPlace.Register, FarTarget, out Instruction far))
            yield return far;
    }

    // False where the form has an operand of another kind, or where the place makes no difference to it.
    private static bool TryMake(OpCodeInfo form, OperandPlace place, ulong target, out Instruction instruction)
    {
        instruction = default;
        instruction.Code = form.Code;
        bool hasPlace = false;
        for (int operand = 0; operand < form.OpCount; operand++)
        {
            OpCodeOperandKind kind = form.GetOpKind(operand);
            if (kind == OpCodeOperandKind.mem_offs && place is OperandPlace.Base or OperandPlace.Segmented)
            {
                SetAbsolute(ref instruction, operand, place);
                hasPlace = true;
            }
            else if (place != OperandPlace.Register && IsMemory(kind))
            {
                SetMemory(ref instruction, operand, place);
                hasPlace = true;
            }
            else if (RegisterOf(kind, operand) is var register && register != Register.None)
            {
                instruction.SetOpKind(operand, OpKind.Register);
                instruction.SetOpRegister(operand, register);
            }
            else if (kind is OpCodeOperandKind.seg_rSI or OpCodeOperandKind.es_rDI)
            {
                instruction.SetOpKind(operand, kind == OpCodeOperandKind.seg_rSI ? OpKind.MemorySegRSI : OpKind.MemoryESRDI);
            }
            else if (!TrySetImmediate(ref instruction, operand, kind, target))
            {
                return false;
            }
        }

        return hasPlace == (place != OperandPlace.Register) && TryDecode(ref instruction);
    }

    // As it comes out of the decoder, which knows more of an instruction than who made it up.
    private static bool TryDecode(ref Instruction instruction)
    {
        var bytes = new ByteList();
        if (!Encoder.Create(64, bytes).TryEncode(instruction, 0, out _, out _))
            return false;
        Code code = instruction.Code;
        instruction = Decoder.Create(64, new ByteArrayCodeReader([.. bytes.Bytes]), 0).Decode();
        return instruction.Code == code;
    }

    private static bool IsMemory(OpCodeOperandKind kind) => kind
        is OpCodeOperandKind.mem or OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem
        or OpCodeOperandKind.r64_or_mem;

    private static void SetMemory(ref Instruction instruction, int operand, OperandPlace place)
    {
        instruction.SetOpKind(operand, OpKind.Memory);
        instruction.MemoryBase = Register.RBX;
        if (place == OperandPlace.Indexed)
        {
            instruction.MemoryIndex = Register.R14;
            instruction.MemoryIndexScale = 4;
        }
        else if (place == OperandPlace.Segmented)
        {
            instruction.SegmentPrefix = Register.FS;
        }
    }

    private static void SetAbsolute(ref Instruction instruction, int operand, OperandPlace place)
    {
        instruction.SetOpKind(operand, OpKind.Memory);
        instruction.MemoryDisplSize = 8;
        instruction.MemoryDisplacement64 = HandlerMachine.OperandAddress;
        if (place == OperandPlace.Segmented)
            instruction.SegmentPrefix = Register.FS;
    }

    private static Register RegisterOf(OpCodeOperandKind kind, int operand) => kind switch
    {
        OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_opcode => operand == 0 ? Register.SIL : Register.DIL,
        OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_opcode => operand == 0 ? Register.SI : Register.DI,
        OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_opcode => operand == 0 ? Register.ESI : Register.EDI,
        OpCodeOperandKind.r64_or_mem or OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_opcode => operand == 0 ? Register.RSI : Register.RDI,
        OpCodeOperandKind.al => Register.AL,
        OpCodeOperandKind.ax => Register.AX,
        OpCodeOperandKind.eax => Register.EAX,
        OpCodeOperandKind.rax => Register.RAX,
        OpCodeOperandKind.cl => Register.CL,
        _ => Register.None,
    };

    private static bool TrySetImmediate(ref Instruction instruction, int operand, OpCodeOperandKind kind, ulong target)
    {
        if (kind is OpCodeOperandKind.br64_1 or OpCodeOperandKind.br64_4)
        {
            instruction.SetOpKind(operand, OpKind.NearBranch64);
            instruction.NearBranch64 = target;
            return true;
        }

        OpKind? immediate = kind switch
        {
            OpCodeOperandKind.imm8 or OpCodeOperandKind.imm8_const_1 => OpKind.Immediate8,
            OpCodeOperandKind.imm8sex16 => OpKind.Immediate8to16,
            OpCodeOperandKind.imm8sex32 => OpKind.Immediate8to32,
            OpCodeOperandKind.imm8sex64 => OpKind.Immediate8to64,
            OpCodeOperandKind.imm16 => OpKind.Immediate16,
            OpCodeOperandKind.imm32 => OpKind.Immediate32,
            OpCodeOperandKind.imm32sex64 => OpKind.Immediate32to64,
            OpCodeOperandKind.imm64 => OpKind.Immediate64,
            _ => null,
        };
        if (immediate is not { } opKind)
            return false;
        instruction.SetOpKind(operand, opKind);
        instruction.SetImmediate(operand, IsNearReturn(instruction) ? 0 : 1);
        return true;
    }

    // Its operand is bytes to pop, which would leave the list of return addresses.
    private static bool IsNearReturn(in Instruction instruction) => instruction.Mnemonic == Mnemonic.Ret;

    private static string Text(in Instruction instruction)
    {
        var output = new StringOutput();
        new NasmFormatter().Format(instruction, output);
        return output.ToStringAndReset();
    }

    private sealed class ByteList : CodeWriter
    {
        public List<byte> Bytes { get; } = [];

        public override void WriteByte(byte value) => Bytes.Add(value);
    }
}
