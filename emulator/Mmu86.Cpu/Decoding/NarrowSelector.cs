using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Instructions that 16- and 32-bit code has in another shape than 64-bit code: stack, near branches, strings.</summary>
internal static unsafe class NarrowSelector
{
    /// <summary>Whether the instruction is one of them.</summary>
    /// <param name="x">The selection.</param>
    /// <param name="handler">Its handler; 0 where it is for managed code.</param>
    public static bool TrySelect(ref Selection x, out nint handler)
    {
        handler = 0;
        switch (x.Instruction.Mnemonic)
        {
            case Mnemonic.Push:
                handler = Push(ref x);
                return true;
            case Mnemonic.Pop:
                handler = Pop(ref x);
                return true;
            case Mnemonic.Jmp:
                handler = Jump(ref x);
                return true;
            case Mnemonic.Call:
                handler = Call(ref x);
                return true;
            case Mnemonic.Ret:
                handler = Return(ref x);
                return true;
            case Mnemonic.Loop:
                handler = Loop(ref x, LoopKind.Always);
                return true;
            case Mnemonic.Loope:
                handler = Loop(ref x, LoopKind.IfEqual);
                return true;
            case Mnemonic.Loopne:
                handler = Loop(ref x, LoopKind.IfNotEqual);
                return true;
            case Mnemonic.Jcxz:
            case Mnemonic.Jecxz:
                handler = Loop(ref x, LoopKind.IfZero);
                return true;
            case Mnemonic.Leave:
            case Mnemonic.Movsb or Mnemonic.Movsw or Mnemonic.Movsd:
            case Mnemonic.Stosb or Mnemonic.Stosw or Mnemonic.Stosd:
            case Mnemonic.Lodsb or Mnemonic.Lodsw or Mnemonic.Lodsd:
            case Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd:
            case Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd:
                return true;
            default:
                return false;
        }
    }

    /// <summary>Fills in a relative branch that cannot use links.</summary>
    public static void Relative(ref Selection x)
    {
        x.IsTerminal = true;
        x.Op->Extra = x.Offset + (uint)x.Instruction.Length;
        bool isWide = x.Instruction.Op0Kind == OpKind.NearBranch32;
        long target = BranchSelector.Target(x.Instruction);
        x.Op->Immediate = (ulong)(isWide ? target : (short)target) - x.Op->Extra;
        x.Op->Address32 = isWide ? NarrowBranchSize.WideTarget : (byte)0;
    }

    private static nint Push(ref Selection x)
    {
        if (x.IsMemory(0) || (x.IsRegister(0) && !x.Instruction.Op0Register.IsGPR()))
            return 0;
        bool isWide = x.Instruction.StackPointerIncrement == -4;
        x.Stores = 1;
        if (x.IsRegister(0))
        {
            x.Op->Source = x.Register(0);
            return isWide
                ? Handlers.Of(&NarrowStack<FilteredMemory, W32>.PushRegister)
                : Handlers.Of(&NarrowStack<FilteredMemory, W16>.PushRegister);
        }

        x.Op->Immediate = x.Immediate(0);
        return isWide
            ? Handlers.Of(&NarrowStack<FilteredMemory, W32>.PushImmediate)
            : Handlers.Of(&NarrowStack<FilteredMemory, W16>.PushImmediate);
    }

    private static nint Pop(ref Selection x)
    {
        if (!x.IsRegister(0) || !x.Instruction.Op0Register.IsGPR())
            return 0;
        x.Detail->Flags |= MicroOpFlags.StackReference;
        x.Loads = 1;
        x.Op->Destination = x.Register(0);
        return x.Instruction.StackPointerIncrement == 4
            ? Handlers.Of(&NarrowStack<FilteredMemory, W32>.PopRegister)
            : Handlers.Of(&NarrowStack<FilteredMemory, W16>.PopRegister);
    }

    private static nint Jump(ref Selection x)
    {
        switch (x.Instruction.Op0Kind)
        {
            case OpKind.NearBranch16 or OpKind.NearBranch32:
                if (BranchSelector.IsLinked(x.Instruction, x.Mode))
                {
                    x.IsTerminal = true;
                    x.Taken = BranchSelector.Target(x.Instruction);
                    return Handlers.Of(&Jumps.Direct);
                }

                Relative(ref x);
                return Handlers.Of(&NarrowBranches.Jump);
            case OpKind.Register:
                Register(ref x);
                return Handlers.Of(&NarrowBranches.JumpToRegister);
            default:
                return 0;
        }
    }

    private static nint Call(ref Selection x)
    {
        switch (x.Instruction.Op0Kind)
        {
            case OpKind.NearBranch16 or OpKind.NearBranch32:
                Relative(ref x);
                x.Stores = 1;
                return x.Instruction.Op0Kind == OpKind.NearBranch32
                    ? Handlers.Of(&NarrowCall<FilteredMemory, W32, RelativeTarget>.Call)
                    : Handlers.Of(&NarrowCall<FilteredMemory, W16, RelativeTarget>.Call);
            case OpKind.Register:
                Register(ref x);
                x.Stores = 1;
                return x.RegisterBytes(0) == 4
                    ? Handlers.Of(&NarrowCall<FilteredMemory, W32, RegisterTarget>.Call)
                    : Handlers.Of(&NarrowCall<FilteredMemory, W16, RegisterTarget>.Call);
            default:
                return 0;
        }
    }

    private static void Register(ref Selection x)
    {
        x.IsTerminal = true;
        x.Op->Extra = x.Offset + (uint)x.Instruction.Length;
        x.Op->Source = x.Register(0);
        x.Op->Address32 = x.RegisterBytes(0) == 4 ? NarrowBranchSize.WideTarget : (byte)0;
    }

    private static nint Return(ref Selection x)
    {
        x.IsTerminal = true;
        x.Loads = 1;
        x.Detail->Flags |= MicroOpFlags.StackReference;
        x.Op->Extra = x.Instruction.OpCount == 1 ? x.Instruction.Immediate16 : 0u;
        return x.Instruction.Code is Code.Retnd or Code.Retnd_imm16
            ? Handlers.Of(&NarrowReturn<FilteredMemory, W32>.Return)
            : Handlers.Of(&NarrowReturn<FilteredMemory, W16>.Return);
    }

    private static nint Loop(ref Selection x, uint kind)
    {
        Relative(ref x);
        x.Op->Source = (byte)kind;
        if (x.Instruction.Code is Code.Loop_rel8_16_ECX or Code.Loop_rel8_32_ECX or Code.Loope_rel8_16_ECX or Code.Loope_rel8_32_ECX
            or Code.Loopne_rel8_16_ECX or Code.Loopne_rel8_32_ECX or Code.Jecxz_rel8_16 or Code.Jecxz_rel8_32)
            x.Op->Address32 |= NarrowBranchSize.WideCounter;
        return Handlers.Of(&NarrowBranches.Loop);
    }
}
