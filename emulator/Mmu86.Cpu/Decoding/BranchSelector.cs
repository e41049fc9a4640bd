using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Handlers of near jumps, calls, returns and loops. Far transfers are managed.</summary>
internal static unsafe class BranchSelector
{
    /// <summary>Whether a relative branch may use the links of its block: its target depends on nothing but where the page is.</summary>
    public static bool IsLinked(in Instruction instruction, CodeMode mode) =>
        mode.IsLong64 || (mode.IsFlat && instruction.Op0Kind == OpKind.NearBranch32);

    /// <summary>The target of a relative branch relative to the page that it was decoded in.</summary>
    public static long Target(in Instruction instruction) => instruction.Op0Kind == OpKind.NearBranch64
        ? (long)instruction.NearBranch64
        : (int)instruction.NearBranchTarget;

    public static nint Jump(ref Selection x)
    {
        switch (x.Instruction.Op0Kind)
        {
            case OpKind.NearBranch64:
                x.IsTerminal = true;
                x.Taken = (long)x.Instruction.NearBranch64;
                return Handlers.Of(&Jumps.Direct);
            case OpKind.Register when x.RegisterBytes(0) == 8:
                x.IsTerminal = true;
                x.Op->Source = x.Register(0);
                return Handlers.Of(&Jumps.Register);
            case OpKind.Memory when x.Instruction.Code == Code.Jmp_rm64:
                x.IsTerminal = true;
                x.Loads = 1;
                return x.Memory() switch
                {
                    AddressKind.Base => Handlers.Of(&MemoryTransfers<FilteredMemory, BaseAddress>.Jump),
                    AddressKind.Indexed => Handlers.Of(&MemoryTransfers<FilteredMemory, IndexedAddress>.Jump),
                    AddressKind.Segmented => Handlers.Of(&MemoryTransfers<FilteredMemory, SegmentedAddress>.Jump),
                    _ => Handlers.Of(&MemoryTransfers<FilteredMemory, CheckedAddress>.Jump),
                };
            default:
                return 0;
        }
    }

    public static nint Call(ref Selection x)
    {
        x.Op->Extra = x.Offset + (uint)x.Instruction.Length;
        switch (x.Instruction.Op0Kind)
        {
            case OpKind.NearBranch64:
                x.IsTerminal = true;
                x.Stores = 1;
                var target = (long)x.Instruction.NearBranch64;
                if (target is >= 0 and < 4096)
                {
                    x.Taken = target;
                    return Handlers.Of(&Calls<FilteredMemory>.Direct);
                }

                x.Op->Immediate = (ulong)target;
                return Handlers.Of(&Calls<FilteredMemory>.OtherPage);
            case OpKind.Register when x.RegisterBytes(0) == 8:
                x.IsTerminal = true;
                x.Stores = 1;
                x.Op->Source = x.Register(0);
                return Handlers.Of(&Calls<FilteredMemory>.Register);
            case OpKind.Memory when x.Instruction.Code == Code.Call_rm64:
                x.IsTerminal = true;
                x.Loads = 1;
                x.Stores = 1;
                return x.Memory() switch
                {
                    AddressKind.Base => Handlers.Of(&MemoryTransfers<FilteredMemory, BaseAddress>.Call),
                    AddressKind.Indexed => Handlers.Of(&MemoryTransfers<FilteredMemory, IndexedAddress>.Call),
                    AddressKind.Segmented => Handlers.Of(&MemoryTransfers<FilteredMemory, SegmentedAddress>.Call),
                    _ => Handlers.Of(&MemoryTransfers<FilteredMemory, CheckedAddress>.Call),
                };
            default:
                return 0;
        }
    }

    public static nint Return(ref Selection x)
    {
        if (x.Instruction.Code is not (Code.Retnq or Code.Retnq_imm16))
            return 0;
        x.IsTerminal = true;
        x.Loads = 1;
        x.Detail->Flags |= MicroOpFlags.StackReference;
        x.Op->Extra = x.Instruction.OpCount == 1 ? x.Instruction.Immediate16 : 0u;
        return Handlers.Of(&Calls<FilteredMemory>.Return);
    }

    public static nint Loop(ref Selection x, uint kind)
    {
        x.IsTerminal = true;
        x.Taken = (long)x.Instruction.NearBranchTarget;
        x.Op->Extra = kind;
        x.Op->Address32 = x.Instruction.Code is Code.Loop_rel8_64_ECX or Code.Loope_rel8_64_ECX or Code.Loopne_rel8_64_ECX or Code.Jecxz_rel8_64
            ? (byte)1
            : (byte)0;
        return Handlers.Of(&Jumps.Loop);
    }
}
