namespace Mmu86.Cpu;

/// <summary>Handlers of the two-operand arithmetic and logic instructions.</summary>
internal static unsafe class AluSelector
{
    public static nint Select<TOperation>(ref Selection x)
        where TOperation : struct, IAluOperation
    {
        switch (x.OperandBytes(0))
        {
            case 1: return Select<TOperation, W8>(ref x);
            case 2: return Select<TOperation, W16>(ref x);
            case 4: return Select<TOperation, W32>(ref x);
            default: return Select<TOperation, W64>(ref x);
        }
    }

    private static nint Select<TOperation, TWidth>(ref Selection x)
        where TOperation : struct, IAluOperation
        where TWidth : struct, IWidth
    {
        if (x.IsRegister(0))
        {
            x.Op->Destination = x.Register(0);
            if (x.IsRegister(1))
            {
                x.Op->Source = x.Register(1);
                return Handlers.Of(&AluRegister<TOperation, TWidth>.Register);
            }

            if (!x.IsMemory(1))
            {
                x.Op->Immediate = x.Immediate(1);
                return Handlers.Of(&AluRegister<TOperation, TWidth>.Immediate);
            }

            x.Loads = 1;
            return x.Memory() switch
            {
                AddressKind.Base => Handlers.Of(&AluMemory<FilteredMemory, BaseAddress, TOperation, TWidth>.Load),
                AddressKind.Indexed => Handlers.Of(&AluMemory<FilteredMemory, IndexedAddress, TOperation, TWidth>.Load),
                AddressKind.Segmented => Handlers.Of(&AluMemory<FilteredMemory, SegmentedAddress, TOperation, TWidth>.Load),
                _ => Handlers.Of(&AluMemory<FilteredMemory, CheckedAddress, TOperation, TWidth>.Load),
            };
        }

        x.Loads = 1;
        if (TOperation.Writes)
        {
            x.Stores = 1;
            x.ReadModifyWrites = 1;
        }

        if (x.IsRegister(1))
        {
            x.Op->Source = x.Register(1);
            return x.Memory() switch
            {
                AddressKind.Base => Handlers.Of(&AluMemory<FilteredMemory, BaseAddress, TOperation, TWidth>.Register),
                AddressKind.Indexed => Handlers.Of(&AluMemory<FilteredMemory, IndexedAddress, TOperation, TWidth>.Register),
                AddressKind.Segmented => Handlers.Of(&AluMemory<FilteredMemory, SegmentedAddress, TOperation, TWidth>.Register),
                _ => Handlers.Of(&AluMemory<FilteredMemory, CheckedAddress, TOperation, TWidth>.Register),
            };
        }

        x.Op->Immediate = x.Immediate(1);
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&AluMemory<FilteredMemory, BaseAddress, TOperation, TWidth>.Immediate),
            AddressKind.Indexed => Handlers.Of(&AluMemory<FilteredMemory, IndexedAddress, TOperation, TWidth>.Immediate),
            AddressKind.Segmented => Handlers.Of(&AluMemory<FilteredMemory, SegmentedAddress, TOperation, TWidth>.Immediate),
            _ => Handlers.Of(&AluMemory<FilteredMemory, CheckedAddress, TOperation, TWidth>.Immediate),
        };
    }
}
