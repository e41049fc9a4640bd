using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Handlers of one-operand arithmetic, shifts and rotates.</summary>
internal static unsafe class UnarySelector
{
    public static nint Select<TOperation>(ref Selection x)
        where TOperation : struct, IUnaryOperation => Sized<TOperation, ConstantExtra>(ref x);

    public static nint Shift<TOperation>(ref Selection x)
        where TOperation : struct, IUnaryOperation
    {
        if (x.Instruction.Op1Kind == OpKind.Register)
            return Sized<TOperation, ClExtra>(ref x);
        x.Op->Extra = (byte)x.Immediate(1);
        return Sized<TOperation, ConstantExtra>(ref x);
    }

    private static nint Sized<TOperation, TExtra>(ref Selection x)
        where TOperation : struct, IUnaryOperation
        where TExtra : struct, IExtra
    {
        switch (x.OperandBytes(0))
        {
            case 1: return Select<TOperation, W8, TExtra>(ref x);
            case 2: return Select<TOperation, W16, TExtra>(ref x);
            case 4: return Select<TOperation, W32, TExtra>(ref x);
            default: return Select<TOperation, W64, TExtra>(ref x);
        }
    }

    private static nint Select<TOperation, TWidth, TExtra>(ref Selection x)
        where TOperation : struct, IUnaryOperation
        where TWidth : struct, IWidth
        where TExtra : struct, IExtra
    {
        if (x.IsRegister(0))
        {
            x.Op->Destination = x.Register(0);
            return Handlers.Of(&Unary<TOperation, TWidth, TExtra>.Register);
        }

        x.Loads = 1;
        x.Stores = 1;
        x.ReadModifyWrites = 1;
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&UnaryMemory<FilteredMemory, BaseAddress, TOperation, TWidth, TExtra>.Modify),
            AddressKind.Indexed => Handlers.Of(&UnaryMemory<FilteredMemory, IndexedAddress, TOperation, TWidth, TExtra>.Modify),
            AddressKind.Segmented => Handlers.Of(&UnaryMemory<FilteredMemory, SegmentedAddress, TOperation, TWidth, TExtra>.Modify),
            _ => Handlers.Of(&UnaryMemory<FilteredMemory, CheckedAddress, TOperation, TWidth, TExtra>.Modify),
        };
    }
}
