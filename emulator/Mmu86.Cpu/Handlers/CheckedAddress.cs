using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>A memory operand of 16- or 32-bit code: the offset wraps at the address size and is held against its segment.</summary>
/// <remarks>
/// <see cref="MicroOp.Segment"/> is an index in <see cref="SegmentWindows"/>; <see cref="MicroOp.Address32"/> is
/// <code>7..2 bytes accessed - 1 | 1 written | 0 32-bit address</code>
/// A refused access gets an address that no filter slot has, so that the slow side raises the fault.
/// </remarks>
internal readonly unsafe struct CheckedAddress : IAddressForm
{
    private const int Wide = 1;
    private const int Written = 2;
    private const int SizeShift = 2;

    /// <summary>The value of <see cref="MicroOp.Address32"/>.</summary>
    public static byte Encode(bool isWide, bool isWritten, int bytes) =>
        (byte)((isWide ? Wide : 0) | (isWritten ? Written : 0) | (Math.Max(bytes - 1, 0) << SizeShift));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(CpuState* s, MicroOp* op) => Segmentation.Linear(
        s, op->Segment, Offset(s, op), (uint)(op->Address32 >> SizeShift) + 1, (op->Address32 & Written) != 0 ? AccessKind.Write : AccessKind.Read);

    /// <summary>The offset alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Offset(CpuState* s, MicroOp* op)
    {
        ulong offset = IndexedAddress.Compute(s, op);
        return (op->Address32 & Wide) != 0 ? (uint)offset : (ushort)offset;
    }
}

/// <summary>The offset of a memory operand of 16- or 32-bit code, for LEA.</summary>
internal readonly unsafe struct OffsetAddress : IAddressForm
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Compute(CpuState* s, MicroOp* op) => CheckedAddress.Offset(s, op);
}
