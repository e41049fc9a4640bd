using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Handlers of Jcc, SETcc and CMOVcc.</summary>
internal static unsafe class ConditionSelector
{
    public static nint Select(ref Selection x)
    {
        switch (x.Instruction.ConditionCode)
        {
            case ConditionCode.o: return Select<IfOverflow>(ref x);
            case ConditionCode.no: return Select<Unless<IfOverflow>>(ref x);
            case ConditionCode.b: return Select<IfBelow>(ref x);
            case ConditionCode.ae: return Select<Unless<IfBelow>>(ref x);
            case ConditionCode.e: return Select<IfEqual>(ref x);
            case ConditionCode.ne: return Select<Unless<IfEqual>>(ref x);
            case ConditionCode.be: return Select<IfBelowOrEqual>(ref x);
            case ConditionCode.a: return Select<Unless<IfBelowOrEqual>>(ref x);
            case ConditionCode.s: return Select<IfSign>(ref x);
            case ConditionCode.ns: return Select<Unless<IfSign>>(ref x);
            case ConditionCode.p: return Select<IfParity>(ref x);
            case ConditionCode.np: return Select<Unless<IfParity>>(ref x);
            case ConditionCode.l: return Select<IfLess>(ref x);
            case ConditionCode.ge: return Select<Unless<IfLess>>(ref x);
            case ConditionCode.le: return Select<IfLessOrEqual>(ref x);
            case ConditionCode.g: return Select<Unless<IfLessOrEqual>>(ref x);
            default: return 0;
        }
    }

    private static nint Select<TCondition>(ref Selection x)
        where TCondition : struct, ICondition
    {
        if (x.Instruction.IsJccShortOrNear)
        {
            if (!BranchSelector.IsLinked(x.Instruction, x.Mode))
            {
                NarrowSelector.Relative(ref x);
                return Handlers.Of(&NarrowConditional<TCondition>.Jump);
            }

            x.IsTerminal = true;
            x.Taken = BranchSelector.Target(x.Instruction);
            return Handlers.Of(&Conditional<TCondition>.Jump);
        }

        if (x.Instruction.OpCount == 1)
            return Set<TCondition>(ref x);
        if (x.Instruction.OpCount != 2 || !x.Instruction.Op0Register.IsGPR())
            return 0; // conditional moves of the x87
        x.Op->Destination = x.Register(0);
        switch (x.RegisterBytes(0))
        {
            case 2: return Move<TCondition, W16>(ref x);
            case 4: return Move<TCondition, W32>(ref x);
            default: return Move<TCondition, W64>(ref x);
        }
    }

    private static nint Set<TCondition>(ref Selection x)
        where TCondition : struct, ICondition
    {
        if (x.IsRegister(0))
        {
            x.Op->Destination = x.Register(0);
            return Handlers.Of(&Conditional<TCondition>.Set);
        }

        x.Stores = 1;
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&ConditionalMemory<FilteredMemory, BaseAddress, TCondition>.Set),
            AddressKind.Indexed => Handlers.Of(&ConditionalMemory<FilteredMemory, IndexedAddress, TCondition>.Set),
            AddressKind.Segmented => Handlers.Of(&ConditionalMemory<FilteredMemory, SegmentedAddress, TCondition>.Set),
            _ => Handlers.Of(&ConditionalMemory<FilteredMemory, CheckedAddress, TCondition>.Set),
        };
    }

    private static nint Move<TCondition, TWidth>(ref Selection x)
        where TCondition : struct, ICondition
        where TWidth : struct, IWidth
    {
        if (x.IsRegister(1))
        {
            x.Op->Source = x.Register(1);
            return Handlers.Of(&Conditional<TCondition>.Move<TWidth>);
        }

        x.Loads = 1;
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&ConditionalMemory<FilteredMemory, BaseAddress, TCondition>.Move<TWidth>),
            AddressKind.Indexed => Handlers.Of(&ConditionalMemory<FilteredMemory, IndexedAddress, TCondition>.Move<TWidth>),
            AddressKind.Segmented => Handlers.Of(&ConditionalMemory<FilteredMemory, SegmentedAddress, TCondition>.Move<TWidth>),
            _ => Handlers.Of(&ConditionalMemory<FilteredMemory, CheckedAddress, TCondition>.Move<TWidth>),
        };
    }
}
