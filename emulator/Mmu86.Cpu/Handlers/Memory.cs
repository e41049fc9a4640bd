using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>How a handler reaches memory. Static and inlined: a handler is compiled once for each.</summary>
internal unsafe interface IHandlerMemory
{
    /// <summary>Whether this is the slow side: it completes the instruction or faults, and never retries.</summary>
    static abstract bool IsSlow { get; }

    /// <summary>Finds where to load <paramref name="size"/> bytes from.</summary>
    /// <returns>False: on the fast side the slow handler must take over; on the slow side the fault is recorded.</returns>
    static abstract bool TryRead(CpuState* s, MicroOp* op, ulong address, uint size, out byte* pointer);

    /// <summary>Finds where to store <paramref name="size"/> bytes; the present bytes may be read there first.</summary>
    /// <returns>As <see cref="TryRead"/>.</returns>
    static abstract bool TryWrite(CpuState* s, MicroOp* op, ulong address, uint size, out byte* pointer);

    /// <summary>As <see cref="TryWrite"/>, for what goes onto the stack: a non-canonical address is #SS(0), whatever the memory operand would raise.</summary>
    static abstract bool TryPush(CpuState* s, MicroOp* op, ulong address, uint size, out byte* pointer);

    /// <summary>The bytes were stored: on the slow side, brings them where they belong and guards code.</summary>
    static abstract void Commit(CpuState* s);
}

/// <summary>The fast side: one probe of the translation filter.</summary>
internal readonly unsafe struct FilteredMemory : IHandlerMemory
{
    public static bool IsSlow => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRead(CpuState* s, MicroOp* op, ulong address, uint size, out byte* pointer) =>
        Probe(s, s->ReadSlots, address, size, out pointer);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryWrite(CpuState* s, MicroOp* op, ulong address, uint size, out byte* pointer) =>
        Probe(s, s->WriteSlots, address, size, out pointer);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryPush(CpuState* s, MicroOp* op, ulong address, uint size, out byte* pointer) =>
        Probe(s, s->WriteSlots, address, size, out pointer);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Commit(CpuState* s)
    {
    }

    // The tag is compared with the page of the access's last byte: a page-crossing access fails the same comparison.
    // SAFETY: a slot's payload leads to RAM of the 4 KiB page in its tag, and is emptied before that mapping goes (Mmu).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Probe(CpuState* s, FilterSlot* table, ulong address, uint size, out byte* pointer)
    {
        FilterSlot* slot = TranslationFilter.Slot(table, address, s->SlotOffsetMask);
        pointer = (byte*)(address + slot->Payload);
        return slot->Tag == FilterSlot.TagOf(address + (size - 1));
    }
}

/// <summary>The slow side: the MMU is asked for every access; page-crossing, MMIO and stores to code go through a bounce buffer.</summary>
internal readonly unsafe struct SlowMemory : IHandlerMemory
{
    public static bool IsSlow => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRead(CpuState* s, MicroOp* op, ulong address, uint size, out byte* pointer)
    {
        pointer = SlowPath.Read(s, op, address, size);
        return pointer != null;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryWrite(CpuState* s, MicroOp* op, ulong address, uint size, out byte* pointer)
    {
        pointer = SlowPath.Write(s, op, address, size);
        return pointer != null;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryPush(CpuState* s, MicroOp* op, ulong address, uint size, out byte* pointer)
    {
        pointer = SlowPath.Push(s, op, address, size);
        return pointer != null;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Commit(CpuState* s)
    {
        if (s->PendingCommit != CommitKind.Nothing)
            SlowPath.Commit(s);
    }
}
