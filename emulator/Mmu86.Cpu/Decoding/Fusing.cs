using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Pairs of instructions that become one op: CMP, TEST, SUB, AND, INC and DEC with the Jcc behind them.</summary>
/// <remarks>One dispatch less in nearly every loop. Only the first instruction of a pair can fault.</remarks>
internal static unsafe class Fusing
{
    /// <summary>Whether an instruction may lead a pair, so that it pays to look at the next.</summary>
    public static bool CanLead(in Instruction first) => first.Mnemonic switch
    {
        Mnemonic.Cmp or Mnemonic.Test => true,
        Mnemonic.Sub or Mnemonic.And or Mnemonic.Inc or Mnemonic.Dec => first.Op0Kind == OpKind.Register && first.Op1Kind != OpKind.Memory,
        _ => false,
    };

    /// <summary>Whether the two make a pair.</summary>
    public static bool CanFuse(in Instruction first, in Instruction second)
    {
        if (!second.IsJccShortOrNear)
            return false;

        // The rarer pairs are not worth a handler each.
        return first.Mnemonic is Mnemonic.Inc or Mnemonic.Dec or Mnemonic.Sub or Mnemonic.And
            ? second.ConditionCode is ConditionCode.e or ConditionCode.ne or ConditionCode.s or ConditionCode.ns
                && (first.Op0Register.GetSize() >= 4)
            : second.ConditionCode is not (ConditionCode.o or ConditionCode.no or ConditionCode.p or ConditionCode.np);
    }

    /// <summary>Fills the op of a pair and chooses its handler. The link is the caller's.</summary>
    public static nint Select(ref Selection x, in Instruction jump)
    {
        switch (jump.ConditionCode)
        {
            case ConditionCode.b: return Select<IfBelow>(ref x);
            case ConditionCode.ae: return Select<Unless<IfBelow>>(ref x);
            case ConditionCode.e: return Select<IfEqual>(ref x);
            case ConditionCode.ne: return Select<Unless<IfEqual>>(ref x);
            case ConditionCode.be: return Select<IfBelowOrEqual>(ref x);
            case ConditionCode.a: return Select<Unless<IfBelowOrEqual>>(ref x);
            case ConditionCode.s: return Select<IfSign>(ref x);
            case ConditionCode.ns: return Select<Unless<IfSign>>(ref x);
            case ConditionCode.l: return Select<IfLess>(ref x);
            case ConditionCode.ge: return Select<Unless<IfLess>>(ref x);
            case ConditionCode.le: return Select<IfLessOrEqual>(ref x);
            case ConditionCode.g: return Select<Unless<IfLessOrEqual>>(ref x);
            default: throw new System.Diagnostics.UnreachableException();
        }
    }

    private static nint Select<TCondition>(ref Selection x)
        where TCondition : struct, ICondition
    {
        switch (x.Instruction.Mnemonic)
        {
            case Mnemonic.Cmp: return Compare<Cmp, TCondition>(ref x);
            case Mnemonic.Test: return Compare<Test, TCondition>(ref x);
            case Mnemonic.Sub: return Wide<Sub, TCondition>(ref x);
            case Mnemonic.And: return Wide<And, TCondition>(ref x);
            case Mnemonic.Inc: return Unary<Inc, TCondition>(ref x);
            case Mnemonic.Dec: return Unary<Dec, TCondition>(ref x);
            default: throw new System.Diagnostics.UnreachableException();
        }
    }

    private static nint Compare<TOperation, TCondition>(ref Selection x)
        where TOperation : struct, IAluOperation
        where TCondition : struct, ICondition
    {
        switch (x.OperandBytes(0))
        {
            case 1: return Compare<TOperation, W8, TCondition>(ref x);
            case 2: return Compare<TOperation, W16, TCondition>(ref x);
            case 4: return Compare<TOperation, W32, TCondition>(ref x);
            default: return Compare<TOperation, W64, TCondition>(ref x);
        }
    }

    private static nint Compare<TOperation, TWidth, TCondition>(ref Selection x)
        where TOperation : struct, IAluOperation
        where TWidth : struct, IWidth
        where TCondition : struct, ICondition
    {
        if (x.IsRegister(0))
        {
            if (!x.IsMemory(1))
                return Register<TOperation, TWidth, TCondition>(ref x);
            x.Op->Destination = x.Register(0);
            x.Loads = 1;
            return x.Memory() switch
            {
                AddressKind.Base => Handlers.Of(&FusedMemory<FilteredMemory, BaseAddress, TOperation, TWidth, TCondition>.Load),
                AddressKind.Indexed => Handlers.Of(&FusedMemory<FilteredMemory, IndexedAddress, TOperation, TWidth, TCondition>.Load),
                AddressKind.Segmented => Handlers.Of(&FusedMemory<FilteredMemory, SegmentedAddress, TOperation, TWidth, TCondition>.Load),
                _ => Handlers.Of(&FusedMemory<FilteredMemory, CheckedAddress, TOperation, TWidth, TCondition>.Load),
            };
        }

        x.Loads = 1;
        if (x.IsRegister(1))
        {
            x.Op->Source = x.Register(1);
            return x.Memory() switch
            {
                AddressKind.Base => Handlers.Of(&FusedMemory<FilteredMemory, BaseAddress, TOperation, TWidth, TCondition>.Register),
                AddressKind.Indexed => Handlers.Of(&FusedMemory<FilteredMemory, IndexedAddress, TOperation, TWidth, TCondition>.Register),
                AddressKind.Segmented => Handlers.Of(&FusedMemory<FilteredMemory, SegmentedAddress, TOperation, TWidth, TCondition>.Register),
                _ => Handlers.Of(&FusedMemory<FilteredMemory, CheckedAddress, TOperation, TWidth, TCondition>.Register),
            };
        }

        x.Op->Immediate = x.Immediate(1);
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&FusedMemory<FilteredMemory, BaseAddress, TOperation, TWidth, TCondition>.Immediate),
            AddressKind.Indexed => Handlers.Of(&FusedMemory<FilteredMemory, IndexedAddress, TOperation, TWidth, TCondition>.Immediate),
            AddressKind.Segmented => Handlers.Of(&FusedMemory<FilteredMemory, SegmentedAddress, TOperation, TWidth, TCondition>.Immediate),
            _ => Handlers.Of(&FusedMemory<FilteredMemory, CheckedAddress, TOperation, TWidth, TCondition>.Immediate),
        };
    }

    private static nint Wide<TOperation, TCondition>(ref Selection x)
        where TOperation : struct, IAluOperation
        where TCondition : struct, ICondition =>
        x.RegisterBytes(0) == 4 ? Register<TOperation, W32, TCondition>(ref x) : Register<TOperation, W64, TCondition>(ref x);

    private static nint Register<TOperation, TWidth, TCondition>(ref Selection x)
        where TOperation : struct, IAluOperation
        where TWidth : struct, IWidth
        where TCondition : struct, ICondition
    {
        x.Op->Destination = x.Register(0);
        if (x.IsRegister(1))
        {
            x.Op->Source = x.Register(1);
            return Handlers.Of(&FusedRegister<TOperation, TWidth, TCondition>.Register);
        }

        x.Op->Immediate = x.Immediate(1);
        return Handlers.Of(&FusedRegister<TOperation, TWidth, TCondition>.Immediate);
    }

    private static nint Unary<TOperation, TCondition>(ref Selection x)
        where TOperation : struct, IUnaryOperation
        where TCondition : struct, ICondition
    {
        x.Op->Destination = x.Register(0);
        return x.RegisterBytes(0) == 4
            ? Handlers.Of(&FusedUnary<TOperation, W32, TCondition>.Register)
            : Handlers.Of(&FusedUnary<TOperation, W64, TCondition>.Register);
    }
}
