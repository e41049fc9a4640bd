using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>Near branches of 16- and 32-bit code: the target wraps at the operand size and must lie inside CS.</summary>
/// <remarks>
/// <see cref="MicroOp.Immediate"/> is the displacement, <see cref="MicroOp.Extra"/> the offset in the page of the next instruction,
/// <see cref="MicroOp.Address32"/> one of <see cref="NarrowBranchSize"/>. The links of flat code are not used: where a 16-bit target
/// is depends on the base of CS, of which the same bytes may be run with several.
/// </remarks>
internal static unsafe class NarrowBranches
{
    private const byte Rcx = 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Jump(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget) =>
        Take(s, op, Target(s, op), result, carry, aux, budget);

    /// <summary>JMP through a register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void JumpToRegister(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget) =>
        Take(s, op, Truncate(op, Registers.Read(s, op->Source)), result, carry, aux, budget);

    /// <summary>LOOP, LOOPE, LOOPNE, JCXZ, JECXZ. Source is one of <see cref="LoopKind"/>; the counter's width is the address size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Loop(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        bool isWide = (op->Address32 & NarrowBranchSize.WideCounter) != 0;
        ulong register = Registers.Read(s, Rcx);
        ulong count = isWide ? (uint)register : (ushort)register;
        ulong counted = count;
        if (op->Source != LoopKind.IfZero)
            counted = isWide ? (uint)(count - 1) : (ushort)(count - 1);
        bool taken = op->Source switch
        {
            (byte)LoopKind.IfZero => counted == 0,
            (byte)LoopKind.Always => counted != 0,
            (byte)LoopKind.IfEqual => counted != 0 && result == 0,
            _ => counted != 0 && result != 0,
        };

        // A target outside CS is a fault, and then the counter stays.
        ulong target = Target(s, op);
        if (taken && target > s->CodeLimit)
        {
            Leaving.ToNonCanonical(s, op, result, carry, aux, budget);
            return;
        }

        if (op->Source != LoopKind.IfZero)
            *Registers.Pointer(s, Rcx) = isWide ? counted : (register & ~(ulong)ushort.MaxValue) | counted;
        if (taken)
            Arrive(s, op, target, result, carry, aux, budget);
        else
            Flow.Follow(s, op, false, result, carry, aux, budget);
    }

    /// <summary>Where a relative branch leads, as an offset in CS.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Target(CpuState* s, MicroOp* op) => Truncate(op, Next(s, op) + op->Immediate);

    /// <summary>The offset in CS of the next instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Next(CpuState* s, MicroOp* op) => Registers.Read(s, CpuState.CodePageRegister) + op->Extra - s->CodeBase;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Truncate(MicroOp* op, ulong target) =>
        (op->Address32 & NarrowBranchSize.WideTarget) != 0 ? (uint)target : (ushort)target;

    /// <summary>Goes to an offset of CS, or faults.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Take(CpuState* s, MicroOp* op, ulong target, ulong result, ulong carry, ulong aux, long budget)
    {
        if (target > s->CodeLimit)
            Leaving.ToNonCanonical(s, op, result, carry, aux, budget);
        else
            Arrive(s, op, target, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Arrive(CpuState* s, MicroOp* op, ulong target, ulong result, ulong carry, ulong aux, long budget) =>
        Flow.Jump(s, (uint)(s->CodeBase + target), result, carry, aux, budget + ((BlockLink*)(op + 1))->Counts);
}

/// <summary>Bits of <see cref="MicroOp.Address32"/> for <see cref="NarrowBranches"/>.</summary>
internal static class NarrowBranchSize
{
    /// <summary>The target has 32 bits, not 16.</summary>
    public const byte WideTarget = 1;

    /// <summary>The counter is ECX, not CX.</summary>
    public const byte WideCounter = 2;
}

/// <summary>Jcc of 16- and 32-bit code that may not use links.</summary>
internal static unsafe class NarrowConditional<TCondition>
    where TCondition : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Jump(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (TCondition.Holds(result, carry, aux))
            NarrowBranches.Take(s, op, NarrowBranches.Target(s, op), result, carry, aux, budget);
        else
            Flow.Follow(s, op, false, result, carry, aux, budget);
    }
}
