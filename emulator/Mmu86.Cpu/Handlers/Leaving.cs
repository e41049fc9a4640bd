using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>Returns to the run loop: these are handlers that end without a tail call.</summary>
/// <remarks>They are NoInlining so that handlers, which only jump to them, stay small and keep their registers; the three that may go
/// on with another op must not be, for a NoInlining method makes no tail call.</remarks>
internal static unsafe class Leaving
{
    /// <summary>Leaves with RIP at an op that was not run; what its block ran before it is charged.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Before(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        Save(s, result, carry, aux, budget);
        Locate(s, op);
        s->Leave = LeaveReason.Lookup;
    }

    /// <summary>Leaves with RIP at any linear address; the block is charged already.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void At(CpuState* s, ulong linear, ulong result, ulong carry, ulong aux, long budget)
    {
        Save(s, result, carry, aux, budget);
        SetInstructionPointer(s, linear);
        s->Leave = LeaveReason.Lookup;
    }

    /// <summary>The instruction of an op faulted; the slow side recorded what. Nothing of it was committed.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void Fault(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        Save(s, result, carry, aux, budget);
        Locate(s, op);
        s->Leave = LeaveReason.Fault;
    }

    /// <summary>#DE at an op.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void DivideError(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        Save(s, result, carry, aux, budget);
        Locate(s, op);
        s->Leave = LeaveReason.Fault;
        SlowPath.RaiseDivideError(s);
    }

    /// <summary>A near transfer to a non-canonical address: #GP(0) at the transfer.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void ToNonCanonical(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        Save(s, result, carry, aux, budget);
        Locate(s, op);
        s->Leave = LeaveReason.Fault;
        SlowPath.RaiseGeneralProtection(s);
    }

    /// <summary>JMP through a register to what is not canonical with 48 bits: goes there in 5-level paging if it is with 57.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void ToWideRegister(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        ulong target = Registers.Read(s, op->Source);
        if (Canonical.Is(target, s->LinearAddressBits))
            At(s, target, result, carry, aux, budget + ((BlockLink*)(op + 1))->Counts);
        else
            ToNonCanonical(s, op, result, carry, aux, budget);
    }

    /// <summary>A straight-line op completed on the slow side: goes on unless something asks for attention.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AfterSlow(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        Retired(s);
        if (s->Attention != 0)
            Before(s, op + 1, result, carry, aux, budget);
        else
            Flow.Dispatch(s, op + 1, result, carry, aux, budget);
    }

    /// <summary>A terminal op completed on the slow side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AfterSlowTerminal(CpuState* s, MicroOp* target, ulong result, ulong carry, ulong aux, long budget)
    {
        Retired(s);
        if (s->Attention != 0 || budget < 0)
            Before(s, target, result, carry, aux, budget);
        else
            Flow.Dispatch(s, target, result, carry, aux, budget);
    }

    /// <summary>A terminal op with a computed target completed on the slow side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AfterSlowJump(CpuState* s, ulong target, ulong result, ulong carry, ulong aux, long budget)
    {
        Retired(s);
        At(s, target, result, carry, aux, budget);
    }

    /// <summary>Stores what handlers pass in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Save(CpuState* s, ulong result, ulong carry, ulong aux, long budget)
    {
        s->FlagResult = result;
        s->FlagCarry = carry;
        s->FlagAux = aux;
        s->Budget = budget;
    }

    // The instruction whose accesses the slow side made has retired: its block counts them, but not second pages.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Retired(CpuState* s)
    {
        s->PendingLookups = 0;
        if (s->PendingSplits != 0)
            SlowPath.CountSplits(s);
    }

    // RIP and the counts of an op that is about to run.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Locate(CpuState* s, MicroOp* op)
    {
        MicroOpDetail* detail = s->Details + (op - s->Pool);
        SetInstructionPointer(s, Registers.Read(s, CpuState.CodePageRegister)
            + ((detail->Flags & MicroOpFlags.TargetInImmediate) != 0 ? op->Immediate : detail->PageOffset));
        s->Budget += detail->CountsBefore;
    }

    /// <summary>Sets RIP to what a linear address of code is in CS.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetInstructionPointer(CpuState* s, ulong linear) => s->Rip = (linear - s->CodeBase) & ~s->AbsentAddressBits;
}
