using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>MOVS, STOS, LODS, SCAS and CMPS without a prefix that repeats them.</summary>
internal static unsafe class StringElements<TMemory, TWidth>
    where TMemory : struct, IHandlerMemory
    where TWidth : struct, IWidth
{
    private const byte Rax = 0;
    private const byte Rsi = 6 * 8;
    private const byte Rdi = 7 * 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Move(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, Source(s, op), TWidth.Bytes, out byte* source))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                StringElements<SlowMemory, TWidth>.Move(s, op, result, carry, aux, budget);
            return;
        }

        ulong value = TWidth.Load(source);
        if (!TMemory.TryWrite(s, op, Destination(s, op), TWidth.Bytes, out byte* destination))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                StringElements<SlowMemory, TWidth>.Move(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(destination, value);
        TMemory.Commit(s);
        Pass(s, op, Rsi);
        Pass(s, op, Rdi);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Store(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryWrite(s, op, Destination(s, op), TWidth.Bytes, out byte* destination))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                StringElements<SlowMemory, TWidth>.Store(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.Store(destination, Registers.Read(s, Rax));
        TMemory.Commit(s);
        Pass(s, op, Rdi);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Load(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, Source(s, op), TWidth.Bytes, out byte* source))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                StringElements<SlowMemory, TWidth>.Load(s, op, result, carry, aux, budget);
            return;
        }

        TWidth.SetRegister(s, Rax, TWidth.Load(source));
        Pass(s, op, Rsi);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scan(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, Destination(s, op), TWidth.Bytes, out byte* destination))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                StringElements<SlowMemory, TWidth>.Scan(s, op, result, carry, aux, budget);
            return;
        }

        _ = Cmp.Compute<TWidth>(TWidth.GetRegister(s, Rax), TWidth.Load(destination), ref result, ref carry, ref aux);
        Pass(s, op, Rdi);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Compare(CpuState* s, MicroOp* op, ulong result, ulong carry, ulong aux, long budget)
    {
        if (!TMemory.TryRead(s, op, Source(s, op), TWidth.Bytes, out byte* source))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                StringElements<SlowMemory, TWidth>.Compare(s, op, result, carry, aux, budget);
            return;
        }

        // Loaded before the second access, which may use the same bounce buffer.
        ulong first = TWidth.Load(source);
        if (!TMemory.TryRead(s, op, Destination(s, op), TWidth.Bytes, out byte* destination))
        {
            if (TMemory.IsSlow)
                Leaving.Fault(s, op, result, carry, aux, budget);
            else
                StringElements<SlowMemory, TWidth>.Compare(s, op, result, carry, aux, budget);
            return;
        }

        _ = Cmp.Compute<TWidth>(first, TWidth.Load(destination), ref result, ref carry, ref aux);
        Pass(s, op, Rsi);
        Pass(s, op, Rdi);
        Flow.NextAfter<TMemory>(s, op, result, carry, aux, budget);
    }

    // Only the source takes a segment override.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Source(CpuState* s, MicroOp* op) => Truncate(op, Registers.Read(s, Rsi)) + Registers.Read(s, op->Segment);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Destination(CpuState* s, MicroOp* op) => Truncate(op, Registers.Read(s, Rdi));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pass(CpuState* s, MicroOp* op, byte pointer)
    {
        long step = (s->SystemFlags & (ulong)RFlags.Direction) == 0 ? TWidth.Bytes : -(long)TWidth.Bytes;
        *Registers.Pointer(s, pointer) = Truncate(op, Registers.Read(s, pointer) + (ulong)step);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Truncate(MicroOp* op, ulong offset) => op->Address32 != 0 ? (uint)offset : offset;
}
