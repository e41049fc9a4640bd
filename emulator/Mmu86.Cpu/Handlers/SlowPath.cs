using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Where handlers enter managed code: out of line, so that the address of no local is taken in a handler.</summary>
internal static unsafe class SlowPath
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte* Read(CpuState* s, MicroOp* op, ulong address, uint size)
    {
        s->SlowOp = op;
        return Owner(s).Data.HandlerRead(op, address, size);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte* Write(CpuState* s, MicroOp* op, ulong address, uint size)
    {
        s->SlowOp = op;
        return Owner(s).Data.HandlerWrite(op, address, size);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static byte* Push(CpuState* s, MicroOp* op, ulong address, uint size)
    {
        s->SlowOp = op;
        return Owner(s).Data.HandlerPush(op, address, size);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Commit(CpuState* s) => Owner(s).Data.HandlerCommit();

    /// <summary>An instruction with page-crossing accesses has retired.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void CountSplits(CpuState* s) => Owner(s).Data.CountSplits();

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void RaiseDivideError(CpuState* s) => Owner(s).Faults.Raise(ExceptionVector.DivideError, 0);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void RaiseGeneralProtection(CpuState* s) => Owner(s).Faults.Raise(ExceptionVector.GeneralProtection, 0);

    /// <summary>Runs a managed instruction.</summary>
    /// <returns>True where the next op of the block follows; false where the handlers must return to the run loop.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static bool ExecuteManaged(CpuState* s, MicroOp* op)
    {
        s->SlowOp = op;
        return Owner(s).ExecuteManaged(op);
    }

    /// <summary>Looks up the second page of a page-crossing instruction.</summary>
    /// <returns>The op to run, or null where the fetch faulted.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static MicroOp* CrossPage(CpuState* s, MicroOp* op) => Owner(s).CrossPage(op);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vcpu Owner(CpuState* s) => Unsafe.As<Vcpu>(GCHandle.FromIntPtr(s->Self).Target!);
}
