using System.Runtime.InteropServices;

namespace Mmu86.Cpu;

/// <summary>One decoded instruction (or a fused pair) as its handler reads it: 32 bytes.</summary>
/// <remarks>Register fields are byte offsets into <see cref="CpuState"/>. A terminal op is followed by a <see cref="BlockLink"/>.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct MicroOp
{
    /// <summary>The handler: <c>delegate*&lt;CpuState*, MicroOp*, ulong, ulong, ulong, long, void&gt;</c>.</summary>
    public nint Handler;

    public byte Destination;
    public byte Source;
    public byte Base;
    public byte Index;

    /// <summary>Shift of the index: 0 to 3.</summary>
    public byte Scale;

    /// <summary>Register that holds the segment base; <see cref="CpuState.ZeroRegister"/> where there is none.</summary>
    public byte Segment;

    /// <summary>Not zero: the effective address is truncated to 32 bits before the segment base is added.</summary>
    public byte Address32;

    /// <summary>Length of the instruction in bytes (of the first of a fused pair).</summary>
    public byte Length;

    /// <summary>Immediate operand, sign-extended; for terminals, the target (see their handlers).</summary>
    public ulong Immediate;

    /// <summary>Displacement of the memory operand, sign-extended when used.</summary>
    public int Displacement;

    /// <summary>Second small operand: shift count, return address offset, bytes to pop.</summary>
    public uint Extra;
}

/// <summary>Follows a terminal op: where to go, and what the block counted.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct BlockLink
{
    /// <summary>First op of the target block, or the stub that resolves it. Never null.</summary>
    public MicroOp* Taken;

    /// <summary>First op of the block behind this one, or the stub that resolves it. Never null where it can be reached.</summary>
    public MicroOp* Fall;

    /// <summary>Packed counts of the whole block: added to the budget when the block is left.</summary>
    public long Counts;

    private readonly ulong _padding;
}

/// <summary>What slow paths need of a micro-op; parallel to the pool, so that the hot ops stay dense.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MicroOpDetail
{
    /// <summary>Packed counts of the instructions before this one in its block.</summary>
    public long CountsBefore;

    /// <summary>Offset of the instruction in its page.</summary>
    public ushort PageOffset;

    /// <summary>Packed flags: bit 0: the memory operand is a stack reference (#SS instead of #GP).</summary>
    public ushort Flags;

    /// <summary>Index of the decoded instruction in the code cache's table, for managed instructions; -1 where it was not kept.</summary>
    public int InstructionIndex;
}

/// <summary>Bits of <see cref="MicroOpDetail.Flags"/>.</summary>
internal static class MicroOpFlags
{
    /// <summary>The memory operand is a stack reference: #SS(0) instead of #GP(0) where it is not canonical.</summary>
    public const ushort StackReference = 1;

    /// <summary>A read-modify-write: its store reads the bytes first.</summary>
    public const ushort ReadsDestination = 2;

    /// <summary>A stub for another page: its address is the code page plus <see cref="MicroOp.Immediate"/>.</summary>
    public const ushort TargetInImmediate = 4;
}
