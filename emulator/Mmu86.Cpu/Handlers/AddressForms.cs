using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>How a handler computes a linear address. 64-bit mode: segment bases are zero but for FS and GS.</summary>
internal unsafe interface IAddressForm
{
    static abstract ulong Compute(CpuState* s, MicroOp* op);
}

/// <summary>Base plus displacement: most operands of compiled code (RIP-relative ones too).</summary>
internal readonly unsafe struct BaseAddress : IAddressForm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(CpuState* s, MicroOp* op) => Registers.Read(s, op->Base) + (ulong)op->Displacement;
}

/// <summary>Base plus scaled index plus displacement.</summary>
internal readonly unsafe struct IndexedAddress : IAddressForm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(CpuState* s, MicroOp* op) =>
        Registers.Read(s, op->Base) + (Registers.Read(s, op->Index) << op->Scale) + (ulong)op->Displacement;
}

/// <summary>Everything else: FS or GS, 32-bit address size.</summary>
internal readonly unsafe struct SegmentedAddress : IAddressForm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(CpuState* s, MicroOp* op)
    {
        ulong offset = IndexedAddress.Compute(s, op);
        if (op->Address32 != 0)
            offset = (uint)offset;
        return offset + Registers.Read(s, op->Segment);
    }
}

/// <summary>A 64-bit displacement alone: the moffs forms of MOV.</summary>
internal readonly unsafe struct AbsoluteAddress : IAddressForm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(CpuState* s, MicroOp* op) => op->Immediate + Registers.Read(s, op->Segment);
}
