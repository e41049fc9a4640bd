using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Handlers of bit tests, bit scans and double-precision shifts.</summary>
internal static unsafe class BitSelector
{
    public static nint Test<TChange>(ref Selection x)
        where TChange : struct, IBitChange
    {
        switch (x.OperandBytes(0))
        {
            case 2: return Test<TChange, W16>(ref x);
            case 4: return Test<TChange, W32>(ref x);
            default: return Test<TChange, W64>(ref x);
        }
    }

    public static nint Scan<TScan>(ref Selection x)
        where TScan : struct, IBitScan
    {
        switch (x.RegisterBytes(0))
        {
            case 2: return Scan<TScan, W16>(ref x);
            case 4: return Scan<TScan, W32>(ref x);
            default: return Scan<TScan, W64>(ref x);
        }
    }

    public static nint DoubleShift<TDirection>(ref Selection x)
        where TDirection : struct, IDoubleShift
    {
        x.Op->Source = x.Register(1);
        if (x.Instruction.Op2Kind != OpKind.Register)
        {
            x.Op->Extra = (byte)x.Immediate(2);
            return DoubleShift<TDirection, ConstantExtra>(ref x);
        }

        return DoubleShift<TDirection, ClExtra>(ref x);
    }

    private static nint Test<TChange, TWidth>(ref Selection x)
        where TChange : struct, IBitChange
        where TWidth : struct, IWidth
    {
        bool immediate = !x.IsRegister(1);
        if (immediate)
            x.Op->Immediate = x.Immediate(1);
        if (x.IsRegister(0))
        {
            x.Op->Destination = x.Register(0);
            if (immediate)
                return Handlers.Of(&BitTest<TChange, TWidth>.Immediate);
            x.Op->Source = x.Register(1);
            return Handlers.Of(&BitTest<TChange, TWidth>.Register);
        }

        // A register index reaches beyond the operand: a bit string, for managed code.
        if (!immediate)
            return 0;
        x.Loads = 1;
        if (TChange.Writes)
        {
            x.Stores = 1;
            x.ReadModifyWrites = 1;
        }

        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&BitTestMemory<FilteredMemory, BaseAddress, TChange, TWidth>.Immediate),
            AddressKind.Indexed => Handlers.Of(&BitTestMemory<FilteredMemory, IndexedAddress, TChange, TWidth>.Immediate),
            AddressKind.Segmented => Handlers.Of(&BitTestMemory<FilteredMemory, SegmentedAddress, TChange, TWidth>.Immediate),
            _ => Handlers.Of(&BitTestMemory<FilteredMemory, CheckedAddress, TChange, TWidth>.Immediate),
        };
    }

    private static nint Scan<TScan, TWidth>(ref Selection x)
        where TScan : struct, IBitScan
        where TWidth : struct, IWidth
    {
        x.Op->Destination = x.Register(0);
        if (x.IsRegister(1))
        {
            x.Op->Source = x.Register(1);
            return Handlers.Of(&BitScan<TScan, TWidth>.Register);
        }

        x.Loads = 1;
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&BitScanMemory<FilteredMemory, BaseAddress, TScan, TWidth>.Load),
            AddressKind.Indexed => Handlers.Of(&BitScanMemory<FilteredMemory, IndexedAddress, TScan, TWidth>.Load),
            AddressKind.Segmented => Handlers.Of(&BitScanMemory<FilteredMemory, SegmentedAddress, TScan, TWidth>.Load),
            _ => Handlers.Of(&BitScanMemory<FilteredMemory, CheckedAddress, TScan, TWidth>.Load),
        };
    }

    private static nint DoubleShift<TDirection, TExtra>(ref Selection x)
        where TDirection : struct, IDoubleShift
        where TExtra : struct, IExtra
    {
        switch (x.RegisterBytes(1))
        {
            case 2: return DoubleShift<TDirection, W16, TExtra>(ref x);
            case 4: return DoubleShift<TDirection, W32, TExtra>(ref x);
            default: return DoubleShift<TDirection, W64, TExtra>(ref x);
        }
    }

    private static nint DoubleShift<TDirection, TWidth, TExtra>(ref Selection x)
        where TDirection : struct, IDoubleShift
        where TWidth : struct, IWidth
        where TExtra : struct, IExtra
    {
        if (x.IsRegister(0))
        {
            x.Op->Destination = x.Register(0);
            return Handlers.Of(&Cpu.DoubleShift<TDirection, TWidth, TExtra>.Register);
        }

        x.Loads = 1;
        x.Stores = 1;
        x.ReadModifyWrites = 1;
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&DoubleShiftMemory<FilteredMemory, BaseAddress, TDirection, TWidth, TExtra>.Modify),
            AddressKind.Indexed => Handlers.Of(&DoubleShiftMemory<FilteredMemory, IndexedAddress, TDirection, TWidth, TExtra>.Modify),
            AddressKind.Segmented => Handlers.Of(&DoubleShiftMemory<FilteredMemory, SegmentedAddress, TDirection, TWidth, TExtra>.Modify),
            _ => Handlers.Of(&DoubleShiftMemory<FilteredMemory, CheckedAddress, TDirection, TWidth, TExtra>.Modify),
        };
    }
}
