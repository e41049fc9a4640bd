namespace Mmu86.Cpu;

/// <summary>Handlers of multiplication and division.</summary>
internal static unsafe class MultiplySelector
{
    public static nint Wide<TOperation>(ref Selection x)
        where TOperation : struct, IMultiplication
    {
        switch (x.OperandBytes(0))
        {
            case 1: return Wide<TOperation, W8>(ref x);
            case 2: return Wide<TOperation, W16>(ref x);
            case 4: return Wide<TOperation, W32>(ref x);
            default: return Wide<TOperation, W64>(ref x);
        }
    }

    public static nint Divide<TOperation>(ref Selection x)
        where TOperation : struct, IDivision
    {
        switch (x.OperandBytes(0))
        {
            case 1: return Divide<TOperation, W8>(ref x);
            case 2: return Divide<TOperation, W16>(ref x);
            case 4: return Divide<TOperation, W32>(ref x);
            default: return Divide<TOperation, W64>(ref x);
        }
    }

    public static nint Truncated(ref Selection x)
    {
        switch (x.RegisterBytes(0))
        {
            case 2: return Truncated<W16>(ref x);
            case 4: return Truncated<W32>(ref x);
            default: return Truncated<W64>(ref x);
        }
    }

    private static nint Wide<TOperation, TWidth>(ref Selection x)
        where TOperation : struct, IMultiplication
        where TWidth : struct, IWidth
    {
        if (x.IsRegister(0))
        {
            x.Op->Source = x.Register(0);
            return Handlers.Of(&WideMultiply<TOperation, TWidth>.Register);
        }

        x.Loads = 1;
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&WideMultiplyMemory<FilteredMemory, BaseAddress, TOperation, TWidth>.Load),
            AddressKind.Indexed => Handlers.Of(&WideMultiplyMemory<FilteredMemory, IndexedAddress, TOperation, TWidth>.Load),
            AddressKind.Segmented => Handlers.Of(&WideMultiplyMemory<FilteredMemory, SegmentedAddress, TOperation, TWidth>.Load),
            _ => Handlers.Of(&WideMultiplyMemory<FilteredMemory, CheckedAddress, TOperation, TWidth>.Load),
        };
    }

    private static nint Divide<TOperation, TWidth>(ref Selection x)
        where TOperation : struct, IDivision
        where TWidth : struct, IWidth
    {
        if (x.IsRegister(0))
        {
            x.Op->Source = x.Register(0);
            return Handlers.Of(&Cpu.Divide<TOperation, TWidth>.Register);
        }

        x.Loads = 1;
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&DivideMemory<FilteredMemory, BaseAddress, TOperation, TWidth>.Load),
            AddressKind.Indexed => Handlers.Of(&DivideMemory<FilteredMemory, IndexedAddress, TOperation, TWidth>.Load),
            AddressKind.Segmented => Handlers.Of(&DivideMemory<FilteredMemory, SegmentedAddress, TOperation, TWidth>.Load),
            _ => Handlers.Of(&DivideMemory<FilteredMemory, CheckedAddress, TOperation, TWidth>.Load),
        };
    }

    private static nint Truncated<TWidth>(ref Selection x)
        where TWidth : struct, IWidth
    {
        x.Op->Destination = x.Register(0);
        bool immediate = x.Instruction.OpCount == 3;
        if (immediate)
            x.Op->Immediate = x.Immediate(2);
        if (x.IsRegister(1))
        {
            x.Op->Source = x.Register(1);
            return immediate ? Handlers.Of(&Multiply<TWidth>.Immediate) : Handlers.Of(&Multiply<TWidth>.Register);
        }

        x.Loads = 1;
        return (x.Memory(), immediate) switch
        {
            (AddressKind.Base, false) => Handlers.Of(&MultiplyMemory<FilteredMemory, BaseAddress, TWidth>.Load),
            (AddressKind.Indexed, false) => Handlers.Of(&MultiplyMemory<FilteredMemory, IndexedAddress, TWidth>.Load),
            (AddressKind.Segmented, false) => Handlers.Of(&MultiplyMemory<FilteredMemory, SegmentedAddress, TWidth>.Load),
            (_, false) => Handlers.Of(&MultiplyMemory<FilteredMemory, CheckedAddress, TWidth>.Load),
            (AddressKind.Base, true) => Handlers.Of(&MultiplyMemory<FilteredMemory, BaseAddress, TWidth>.Immediate),
            (AddressKind.Indexed, true) => Handlers.Of(&MultiplyMemory<FilteredMemory, IndexedAddress, TWidth>.Immediate),
            (AddressKind.Segmented, true) => Handlers.Of(&MultiplyMemory<FilteredMemory, SegmentedAddress, TWidth>.Immediate),
            (_, true) => Handlers.Of(&MultiplyMemory<FilteredMemory, CheckedAddress, TWidth>.Immediate),
        };
    }
}
