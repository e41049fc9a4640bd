using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Handlers of PUSH, POP and LEAVE.</summary>
internal static unsafe class StackSelector
{
    public static nint Push(ref Selection x)
    {
        bool narrow = x.Instruction.StackPointerIncrement == -2;
        x.Stores = 1;
        if (x.IsRegister(0))
        {
            if (!x.Instruction.Op0Register.IsGPR())
                return 0; // PUSH FS, PUSH GS
            x.Op->Source = x.Register(0);
            return narrow
                ? Handlers.Of(&Stack<FilteredMemory, W16>.PushRegister)
                : Handlers.Of(&Stack<FilteredMemory, W64>.PushRegister);
        }

        if (x.IsMemory(0))
        {
            x.Loads = 1;
            return (x.Memory(), narrow) switch
            {
                (AddressKind.Base, false) => Handlers.Of(&StackMemory<FilteredMemory, BaseAddress, W64>.Push),
                (AddressKind.Indexed, false) => Handlers.Of(&StackMemory<FilteredMemory, IndexedAddress, W64>.Push),
                (_, false) => Handlers.Of(&StackMemory<FilteredMemory, SegmentedAddress, W64>.Push),
                (AddressKind.Base, true) => Handlers.Of(&StackMemory<FilteredMemory, BaseAddress, W16>.Push),
                (AddressKind.Indexed, true) => Handlers.Of(&StackMemory<FilteredMemory, IndexedAddress, W16>.Push),
                (_, true) => Handlers.Of(&StackMemory<FilteredMemory, SegmentedAddress, W16>.Push),
            };
        }

        x.Op->Immediate = x.Immediate(0);
        return narrow
            ? Handlers.Of(&Stack<FilteredMemory, W16>.PushImmediate)
            : Handlers.Of(&Stack<FilteredMemory, W64>.PushImmediate);
    }

    public static nint Pop(ref Selection x)
    {
        // POP to memory and to segment registers is rare: managed code.
        if (!x.IsRegister(0) || !x.Instruction.Op0Register.IsGPR())
            return 0;
        x.Detail->Flags |= MicroOpFlags.StackReference;
        x.Loads = 1;
        x.Op->Destination = x.Register(0);
        return x.Instruction.StackPointerIncrement == 2
            ? Handlers.Of(&Stack<FilteredMemory, W16>.PopRegister)
            : Handlers.Of(&Stack<FilteredMemory, W64>.PopRegister);
    }

    public static nint Leave(ref Selection x)
    {
        x.Detail->Flags |= MicroOpFlags.StackReference;
        x.Loads = 1;
        return x.Instruction.Code == Code.Leavew
            ? Handlers.Of(&Stack<FilteredMemory, W16>.Leave)
            : Handlers.Of(&Stack<FilteredMemory, W64>.Leave);
    }
}
