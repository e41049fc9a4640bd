using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Chooses the handler of an instruction. Each of the manual's groups has a class of its own.</summary>
internal static unsafe class Selector
{
    /// <summary>Fills the op of a selection.</summary>
    /// <returns>The handler; 0 where the instruction is for managed code.</returns>
    public static nint Select(ref Selection selection)
    {
        if (!selection.Mode.IsLong64 && NarrowSelector.TrySelect(ref selection, out nint narrow))
            return narrow;
        switch (selection.Instruction.Mnemonic)
        {
            case Mnemonic.Mov:
                return MoveSelector.Move(ref selection);
            case Mnemonic.Movnti:
                return MoveSelector.Move(ref selection);
            case Mnemonic.Movzx:
                return MoveSelector.Extend<ZeroExtension>(ref selection);
            case Mnemonic.Movsx:
            case Mnemonic.Movsxd:
                return MoveSelector.Extend<SignExtension>(ref selection);
            case Mnemonic.Lea:
                return MoveSelector.Lea(ref selection);
            case Mnemonic.Xchg:
                return MoveSelector.Exchange(ref selection);
            case Mnemonic.Bswap:
                selection.Op->Destination = selection.Register(0);
                return selection.RegisterBytes(0) switch
                {
                    8 => Handlers.Of(&RegisterMoves.SwapBytes64),
                    4 => Handlers.Of(&RegisterMoves.SwapBytes32),
                    _ => 0, // undefined for 16 bits: managed code decides
                };
            case Mnemonic.Cbw:
                return Handlers.Of(&Cpu.Extend<W8, W16, SignExtension>.Register);
            case Mnemonic.Cwde:
                return Handlers.Of(&Cpu.Extend<W16, W32, SignExtension>.Register);
            case Mnemonic.Cdqe:
                return Handlers.Of(&Cpu.Extend<W32, W64, SignExtension>.Register);
            case Mnemonic.Cwd:
                return Handlers.Of(&RegisterMoves.SignToDx16);
            case Mnemonic.Cdq:
                return Handlers.Of(&RegisterMoves.SignToDx32);
            case Mnemonic.Cqo:
                return Handlers.Of(&RegisterMoves.SignToDx64);
            case Mnemonic.Clc:
                return Carry(ref selection, 0);
            case Mnemonic.Stc:
                return Carry(ref selection, 1);
            case Mnemonic.Cmc:
                return Carry(ref selection, 2);
            case Mnemonic.Cld:
                return Direction(ref selection, RFlags.None);
            case Mnemonic.Std:
                return Direction(ref selection, RFlags.Direction);
            case Mnemonic.Nop when selection.Instruction.MemoryDisplacement32 is Markers.Begin or Markers.End
                && selection.Instruction.OpCount == 1 && selection.IsMemory(0):
                return 0;
            case Mnemonic.Nop:
            case Mnemonic.Pause:
            case Mnemonic.Endbr64:
            case Mnemonic.Endbr32:
            case Mnemonic.Reservednop:
            case Mnemonic.Prefetchnta:
            case Mnemonic.Prefetcht0:
            case Mnemonic.Prefetcht1:
            case Mnemonic.Prefetcht2:
            case Mnemonic.Prefetchw:
            case Mnemonic.Prefetch:
            case Mnemonic.Lfence:
            case Mnemonic.Mfence:
            case Mnemonic.Sfence:
                return Handlers.Of(&RegisterMoves.Nothing);
            case Mnemonic.Add:
                return AluSelector.Select<Add>(ref selection);
            case Mnemonic.Or:
                return AluSelector.Select<Or>(ref selection);
            case Mnemonic.Adc:
                return AluSelector.Select<Adc>(ref selection);
            case Mnemonic.Sbb:
                return AluSelector.Select<Sbb>(ref selection);
            case Mnemonic.And:
                return AluSelector.Select<And>(ref selection);
            case Mnemonic.Sub:
                return AluSelector.Select<Sub>(ref selection);
            case Mnemonic.Xor:
                return AluSelector.Select<Xor>(ref selection);
            case Mnemonic.Cmp:
                return AluSelector.Select<Cmp>(ref selection);
            case Mnemonic.Test:
                return AluSelector.Select<Test>(ref selection);
            case Mnemonic.Inc:
                return UnarySelector.Select<Inc>(ref selection);
            case Mnemonic.Dec:
                return UnarySelector.Select<Dec>(ref selection);
            case Mnemonic.Neg:
                return UnarySelector.Select<Neg>(ref selection);
            case Mnemonic.Not:
                return UnarySelector.Select<Not>(ref selection);
            case Mnemonic.Shl:
            case Mnemonic.Sal:
                return UnarySelector.Shift<Shl>(ref selection);
            case Mnemonic.Shr:
                return UnarySelector.Shift<Shr>(ref selection);
            case Mnemonic.Sar:
                return UnarySelector.Shift<Sar>(ref selection);
            case Mnemonic.Rol:
                return UnarySelector.Shift<Rol>(ref selection);
            case Mnemonic.Ror:
                return UnarySelector.Shift<Ror>(ref selection);
            case Mnemonic.Rcl:
                return UnarySelector.Shift<Rcl>(ref selection);
            case Mnemonic.Rcr:
                return UnarySelector.Shift<Rcr>(ref selection);
            case Mnemonic.Mul:
                return MultiplySelector.Wide<UnsignedMultiplication>(ref selection);
            case Mnemonic.Imul when selection.Instruction.OpCount == 1:
                return MultiplySelector.Wide<SignedMultiplication>(ref selection);
            case Mnemonic.Imul:
                return MultiplySelector.Truncated(ref selection);
            case Mnemonic.Div:
                return MultiplySelector.Divide<UnsignedDivision>(ref selection);
            case Mnemonic.Idiv:
                return MultiplySelector.Divide<SignedDivision>(ref selection);
            case Mnemonic.Push:
                return StackSelector.Push(ref selection);
            case Mnemonic.Pop:
                return StackSelector.Pop(ref selection);
            case Mnemonic.Leave:
                return StackSelector.Leave(ref selection);
            case Mnemonic.Bt:
                return BitSelector.Test<BitKept>(ref selection);
            case Mnemonic.Bts:
                return BitSelector.Test<BitSet>(ref selection);
            case Mnemonic.Btr:
                return BitSelector.Test<BitReset>(ref selection);
            case Mnemonic.Btc:
                return BitSelector.Test<BitComplement>(ref selection);
            case Mnemonic.Bsf:
                return BitSelector.Scan<ScanForward>(ref selection);
            case Mnemonic.Bsr:
                return BitSelector.Scan<ScanReverse>(ref selection);
            case Mnemonic.Shld:
                return BitSelector.DoubleShift<ShiftLeftDouble>(ref selection);
            case Mnemonic.Shrd:
                return BitSelector.DoubleShift<ShiftRightDouble>(ref selection);
            case Mnemonic.Xadd:
                return AtomicSelector.ExchangeAdd(ref selection);
            case Mnemonic.Cmpxchg:
                return AtomicSelector.CompareExchange(ref selection);
            case Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsd or Mnemonic.Movsq:
            case Mnemonic.Stosb or Mnemonic.Stosw or Mnemonic.Stosd or Mnemonic.Stosq:
            case Mnemonic.Lodsb or Mnemonic.Lodsw or Mnemonic.Lodsd or Mnemonic.Lodsq:
            case Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq:
            case Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq:
                return StringSelector.Select(ref selection);
            case Mnemonic.Jmp:
                return BranchSelector.Jump(ref selection);
            case Mnemonic.Call:
                return BranchSelector.Call(ref selection);
            case Mnemonic.Ret:
                return BranchSelector.Return(ref selection);
            case Mnemonic.Loop:
                return BranchSelector.Loop(ref selection, LoopKind.Always);
            case Mnemonic.Loope:
                return BranchSelector.Loop(ref selection, LoopKind.IfEqual);
            case Mnemonic.Loopne:
                return BranchSelector.Loop(ref selection, LoopKind.IfNotEqual);
            case Mnemonic.Jrcxz:
            case Mnemonic.Jecxz:
                return BranchSelector.Loop(ref selection, LoopKind.IfZero);
            default:
                if (selection.Instruction.ConditionCode != ConditionCode.None)
                    return ConditionSelector.Select(ref selection);
                return 0;
        }
    }

    private static nint Carry(ref Selection selection, ulong change)
    {
        selection.Op->Immediate = change;
        return Handlers.Of(&RegisterMoves.ChangeCarry);
    }

    private static nint Direction(ref Selection selection, RFlags direction)
    {
        selection.Op->Immediate = (ulong)direction;
        return Handlers.Of(&RegisterMoves.ChangeDirection);
    }
}
