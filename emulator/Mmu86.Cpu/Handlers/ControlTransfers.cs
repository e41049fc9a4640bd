using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>Near jumps that touch no memory, and the ends of blocks.</summary>
internal static unsafe class Jumps
{
    /// <summary>JMP to a target in the same page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Direct(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget) =>
        Flow.Follow(s, op, true, result, carry, aux, budget);

    /// <summary>The end of a block that was cut for its length: not an instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FallThrough(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget) =>
        Flow.Follow(s, op, false, result, carry, aux, budget);

    /// <summary>A link to another page: Immediate is the target minus the start of the current code page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OtherPage(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget) =>
        Flow.Jump(s, Registers.Read(s, CpuState.CodePageRegister) + op->Immediate, result, carry, aux, budget);

    /// <summary>A link not resolved yet: the run loop finds the target and patches the link.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Unresolved(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        // Immediate is the address of the link that led here, Extra the code page that holds it.
        s->Scratch0 = op->Immediate;
        s->Scratch1 = op->Extra;
        Leaving.Before(s, op, result, carry, aux, budget);
        s->Leave = LeaveReason.Resolve;
    }

    /// <summary>JMP through a register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong target = Registers.Read(s, op->Source);
        if (Canonical.Is(target))
            Flow.Jump(s, target, result, carry, aux, budget + ((BlockLink*)(op + 1))->Counts);
        else
            Leaving.ToWideRegister(s, op, result, carry, aux, budget);
    }

    /// <summary>LOOP, LOOPE, LOOPNE, JRCXZ: Extra selects; Address32 chooses ECX.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Loop(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong* rcx = Registers.Pointer(s, 8);
        ulong count = *rcx;
        if (op->Extra != LoopKind.IfZero)
        {
            count--;
            if (op->Address32 != 0)
                count = (uint)count;
            *rcx = count;
        }
        else if (op->Address32 != 0)
        {
            count = (uint)count;
        }

        bool taken = op->Extra switch
        {
            LoopKind.IfZero => count == 0,
            LoopKind.Always => count != 0,
            LoopKind.IfEqual => count != 0 && result == 0,
            _ => count != 0 && result != 0,
        };
        Flow.Follow(s, op, taken, result, carry, aux, budget);
    }
}

/// <summary>Values of <see cref="MicroOp.Extra"/> for <see cref="Jumps.Loop"/>.</summary>
internal static class LoopKind
{
    public const uint Always = 0;
    public const uint IfEqual = 1;
    public const uint IfNotEqual = 2;
    public const uint IfZero = 3;
}

/// <summary>CALL, RET and jumps through memory.</summary>
internal static unsafe class Calls<TMemory>
    where TMemory : struct, IHandlerMemory
{
    private const byte Rsp = 4 * 8;

    /// <summary>CALL to a target in the same page; Extra is the return address's offset from the code page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Direct(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = Registers.Read(s, Rsp) - 8;
        if (!TMemory.TryPush(s, op, stack, 8, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                Calls<SlowMemory>.Direct(s, op, result, carry, aux, budget);
            return;
        }

        *(ulong*)pointer = Registers.Read(s, CpuState.CodePageRegister) + op->Extra;
        TMemory.Commit(s);
        *Registers.Pointer(s, Rsp) = stack;
        Flow.FollowAfter<TMemory>(s, op, true, result, carry, aux, budget);
    }

    /// <summary>CALL to another page: Immediate is the target minus the start of the current code page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void OtherPage(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = Registers.Read(s, Rsp) - 8;
        if (!TMemory.TryPush(s, op, stack, 8, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                Calls<SlowMemory>.OtherPage(s, op, result, carry, aux, budget);
            return;
        }

        ulong codePage = Registers.Read(s, CpuState.CodePageRegister);
        *(ulong*)pointer = codePage + op->Extra;
        TMemory.Commit(s);
        *Registers.Pointer(s, Rsp) = stack;
        Arrive(s, op, codePage + op->Immediate, result, carry, aux, budget);
    }

    /// <summary>CALL through a register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Register(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong target = Registers.Read(s, op->Source);
        if (!Canonical.IsTarget<TMemory>(s, target))
        {
            if (TMemory.IsSlow)
                Leaving.ToNonCanonical(s, op, result, carry, aux, budget);
            else
                Calls<SlowMemory>.Register(s, op, result, carry, aux, budget);
            return;
        }

        ulong stack = Registers.Read(s, Rsp) - 8;
        if (!TMemory.TryPush(s, op, stack, 8, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                Calls<SlowMemory>.Register(s, op, result, carry, aux, budget);
            return;
        }

        *(ulong*)pointer = Registers.Read(s, CpuState.CodePageRegister) + op->Extra;
        TMemory.Commit(s);
        *Registers.Pointer(s, Rsp) = stack;
        Arrive(s, op, target, result, carry, aux, budget);
    }

    /// <summary>RET; Extra is the number of further bytes to pop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Return(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong stack = Registers.Read(s, Rsp);
        if (!TMemory.TryRead(s, op, stack, 8, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                Calls<SlowMemory>.Return(s, op, result, carry, aux, budget);
            return;
        }

        ulong target = *(ulong*)pointer;
        if (!Canonical.IsTarget<TMemory>(s, target))
        {
            // The block does not count an attempt that faults, the slow side counts its lookup.
            if (TMemory.IsSlow)
                Leaving.ToNonCanonical(s, op, result, carry, aux, budget);
            else
                Calls<SlowMemory>.Return(s, op, result, carry, aux, budget);
            return;
        }

        *Registers.Pointer(s, Rsp) = stack + 8 + op->Extra;
        Arrive(s, op, target, result, carry, aux, budget);
    }

    // The end of a transfer whose memory access is done.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Arrive(CpuState* s, MicroOp* op, ulong target, ulong result, ulong carry, ulong aux, long budget)
    {
        budget += ((BlockLink*)(op + 1))->Counts;
        if (TMemory.IsSlow)
            Leaving.AfterSlowJump(s, target, result, carry, aux, budget);
        else
            Flow.Jump(s, target, result, carry, aux, budget);
    }
}

/// <summary>JMP and CALL through memory.</summary>
internal static unsafe class MemoryTransfers<TMemory, TAddress>
    where TMemory : struct, IHandlerMemory
    where TAddress : struct, IAddressForm
{
    private const byte Rsp = 4 * 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Jump(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), 8, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                MemoryTransfers<SlowMemory, TAddress>.Jump(s, op, result, carry, aux, budget);
            return;
        }

        ulong target = *(ulong*)pointer;
        if (!Canonical.IsTarget<TMemory>(s, target))
        {
            // The block does not count an attempt that faults, the slow side counts its lookup.
            if (TMemory.IsSlow)
                Leaving.ToNonCanonical(s, op, result, carry, aux, budget);
            else
                MemoryTransfers<SlowMemory, TAddress>.Jump(s, op, result, carry, aux, budget);
            return;
        }

        Calls<TMemory>.Arrive(s, op, target, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Call(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, TAddress.Compute(s, op), 8, out byte* source))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                MemoryTransfers<SlowMemory, TAddress>.Call(s, op, result, carry, aux, budget);
            return;
        }

        ulong target = *(ulong*)source;
        if (!Canonical.IsTarget<TMemory>(s, target))
        {
            // The block does not count an attempt that faults, the slow side counts its lookup.
            if (TMemory.IsSlow)
                Leaving.ToNonCanonical(s, op, result, carry, aux, budget);
            else
                MemoryTransfers<SlowMemory, TAddress>.Call(s, op, result, carry, aux, budget);
            return;
        }

        ulong stack = Registers.Read(s, Rsp) - 8;
        if (!TMemory.TryPush(s, op, stack, 8, out byte* pointer))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                MemoryTransfers<SlowMemory, TAddress>.Call(s, op, result, carry, aux, budget);
            return;
        }

        *(ulong*)pointer = Registers.Read(s, CpuState.CodePageRegister) + op->Extra;
        TMemory.Commit(s);
        *Registers.Pointer(s, Rsp) = stack;
        Calls<TMemory>.Arrive(s, op, target, result, carry, aux, budget);
    }
}
