using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Handlers of the data-transfer instructions.</summary>
internal static unsafe class MoveSelector
{
    public static nint Move(ref Selection x)
    {
        OpKind first = x.Instruction.Op0Kind;
        OpKind second = x.Instruction.Op1Kind;
        if (first == OpKind.Register && second == OpKind.Register)
        {
            if (!x.Instruction.Op0Register.IsGPR() || !x.Instruction.Op1Register.IsGPR())
                return 0; // segment, control and debug registers
            x.Op->Destination = x.Register(0);
            x.Op->Source = x.Register(1);
            return x.RegisterBytes(0) switch
            {
                1 => Handlers.Of(&Cpu.Move<W8>.Register),
                2 => Handlers.Of(&Cpu.Move<W16>.Register),
                4 => Handlers.Of(&Cpu.Move<W32>.Register),
                _ => Handlers.Of(&Cpu.Move<W64>.Register),
            };
        }

        if (first == OpKind.Register && second == OpKind.Memory)
        {
            if (!x.Instruction.Op0Register.IsGPR())
                return 0;
            x.Op->Destination = x.Register(0);
            x.Loads = 1;
            return IsAbsolute(x.Instruction) ? Absolute(ref x, MoveForm.Load, x.RegisterBytes(0)) : Memory(ref x, MoveForm.Load, x.RegisterBytes(0));
        }

        if (first == OpKind.Memory && second == OpKind.Register)
        {
            if (!x.Instruction.Op1Register.IsGPR())
                return 0;
            x.Op->Source = x.Register(1);
            x.Stores = 1;
            return IsAbsolute(x.Instruction) ? Absolute(ref x, MoveForm.Store, x.RegisterBytes(1)) : Memory(ref x, MoveForm.Store, x.RegisterBytes(1));
        }

        x.Op->Immediate = x.Immediate(1);
        if (first == OpKind.Memory)
        {
            x.Stores = 1;
            return Memory(ref x, MoveForm.StoreImmediate, x.MemoryBytes);
        }

        x.Op->Destination = x.Register(0);
        return x.RegisterBytes(0) switch
        {
            1 => Handlers.Of(&Cpu.Move<W8>.Immediate),
            2 => Handlers.Of(&Cpu.Move<W16>.Immediate),
            4 => Handlers.Of(&Cpu.Move<W32>.Immediate),
            _ => Handlers.Of(&Cpu.Move<W64>.Immediate),
        };
    }

    public static nint Exchange(ref Selection x)
    {
        if (x.IsRegister(0) && x.IsRegister(1))
        {
            x.Op->Destination = x.Register(0);
            x.Op->Source = x.Register(1);
            return x.RegisterBytes(0) switch
            {
                1 => Handlers.Of(&RegisterMoves.Exchange<W8>),
                2 => Handlers.Of(&RegisterMoves.Exchange<W16>),
                4 => Handlers.Of(&RegisterMoves.Exchange<W32>),
                _ => Handlers.Of(&RegisterMoves.Exchange<W64>),
            };
        }

        int register = x.IsRegister(0) ? 0 : 1;
        x.Op->Source = x.Register(register);
        x.Loads = 1;
        x.Stores = 1;
        x.ReadModifyWrites = 1;
        return Memory(ref x, MoveForm.Exchange, x.RegisterBytes(register));
    }

    public static nint Lea(ref Selection x)
    {
        x.Op->Destination = x.Register(0);
        int bytes = x.RegisterBytes(0);
        AddressKind kind = x.Memory();

        // LEA has no segment.
        x.Op->Segment = CpuState.ZeroRegister;
        if (x.Op->Address32 == 0 && kind == AddressKind.Segmented)
            kind = AddressKind.Indexed;
        return kind switch
        {
            AddressKind.Base => Lea<BaseAddress>(bytes),
            AddressKind.Indexed => Lea<IndexedAddress>(bytes),
            AddressKind.Segmented => Lea<SegmentedAddress>(bytes),
            _ => Lea<OffsetAddress>(bytes),
        };
    }

    public static nint Extend<TExtension>(ref Selection x)
        where TExtension : struct, IExtension
    {
        x.Op->Destination = x.Register(0);
        int to = x.RegisterBytes(0);
        int from = x.OperandBytes(1);
        if (x.IsRegister(1))
        {
            x.Op->Source = x.Register(1);
            return from switch
            {
                1 => ExtendRegister<W8, TExtension>(to),
                2 => ExtendRegister<W16, TExtension>(to),
                _ => ExtendRegister<W32, TExtension>(to),
            };
        }

        x.Loads = 1;
        return x.Memory() switch
        {
            AddressKind.Base => ExtendMemory<BaseAddress, TExtension>(from, to),
            AddressKind.Indexed => ExtendMemory<IndexedAddress, TExtension>(from, to),
            AddressKind.Segmented => ExtendMemory<SegmentedAddress, TExtension>(from, to),
            _ => ExtendMemory<CheckedAddress, TExtension>(from, to),
        };
    }

    private enum MoveForm
    {
        Load,
        Store,
        StoreImmediate,
        Exchange,
    }

    // The moffs forms. An eight-byte displacement alone does not tell: Iced says 8 of every 32-bit displacement in 64-bit mode.
    private static bool IsAbsolute(in Instruction instruction) =>
        instruction.Code is >= Code.Mov_AL_moffs8 and <= Code.Mov_moffs64_RAX && instruction.MemoryDisplSize == 8;

    private static nint Absolute(ref Selection x, MoveForm form, int bytes)
    {
        x.Op->Immediate = x.Instruction.MemoryDisplacement64;
        x.Op->Segment = RegisterOffsets.OfSegment(x.Instruction.MemorySegment);
        return Memory<AbsoluteAddress>(form, bytes);
    }

    private static nint Memory(ref Selection x, MoveForm form, int bytes) => x.Memory() switch
    {
        AddressKind.Base => Memory<BaseAddress>(form, bytes),
        AddressKind.Indexed => Memory<IndexedAddress>(form, bytes),
        AddressKind.Segmented => Memory<SegmentedAddress>(form, bytes),
        _ => Memory<CheckedAddress>(form, bytes),
    };

    private static nint Memory<TAddress>(MoveForm form, int bytes)
        where TAddress : struct, IAddressForm => bytes switch
        {
            1 => Memory<TAddress, W8>(form),
            2 => Memory<TAddress, W16>(form),
            4 => Memory<TAddress, W32>(form),
            _ => Memory<TAddress, W64>(form),
        };

    private static nint Memory<TAddress, TWidth>(MoveForm form)
        where TAddress : struct, IAddressForm
        where TWidth : struct, IWidth => form switch
        {
            MoveForm.Load => Handlers.Of(&MoveMemory<FilteredMemory, TAddress, TWidth>.Load),
            MoveForm.Store => Handlers.Of(&MoveMemory<FilteredMemory, TAddress, TWidth>.Store),
            MoveForm.StoreImmediate => Handlers.Of(&MoveMemory<FilteredMemory, TAddress, TWidth>.StoreImmediate),
            _ => Handlers.Of(&MoveMemory<FilteredMemory, TAddress, TWidth>.Exchange),
        };

    private static nint Lea<TAddress>(int bytes)
        where TAddress : struct, IAddressForm => bytes switch
        {
            2 => Handlers.Of(&Cpu.Lea<TAddress, W16>.Register),
            4 => Handlers.Of(&Cpu.Lea<TAddress, W32>.Register),
            _ => Handlers.Of(&Cpu.Lea<TAddress, W64>.Register),
        };

    private static nint ExtendRegister<TFrom, TExtension>(int to)
        where TFrom : struct, IWidth
        where TExtension : struct, IExtension => to switch
        {
            2 => Handlers.Of(&Cpu.Extend<TFrom, W16, TExtension>.Register),
            4 => Handlers.Of(&Cpu.Extend<TFrom, W32, TExtension>.Register),
            _ => Handlers.Of(&Cpu.Extend<TFrom, W64, TExtension>.Register),
        };

    private static nint ExtendMemory<TAddress, TExtension>(int from, int to)
        where TAddress : struct, IAddressForm
        where TExtension : struct, IExtension => from switch
        {
            1 => ExtendMemory<TAddress, W8, TExtension>(to),
            2 => ExtendMemory<TAddress, W16, TExtension>(to),
            _ => ExtendMemory<TAddress, W32, TExtension>(to),
        };

    private static nint ExtendMemory<TAddress, TFrom, TExtension>(int to)
        where TAddress : struct, IAddressForm
        where TFrom : struct, IWidth
        where TExtension : struct, IExtension => to switch
        {
            2 => Handlers.Of(&Cpu.ExtendMemory<FilteredMemory, TAddress, TFrom, W16, TExtension>.Load),
            4 => Handlers.Of(&Cpu.ExtendMemory<FilteredMemory, TAddress, TFrom, W32, TExtension>.Load),
            _ => Handlers.Of(&Cpu.ExtendMemory<FilteredMemory, TAddress, TFrom, W64, TExtension>.Load),
        };
}
