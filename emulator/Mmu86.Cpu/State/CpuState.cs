using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>Why the handlers returned to the run loop.</summary>
internal enum LeaveReason
{
    /// <summary>RIP is at the next instruction; look it up and go on (budget used up, unknown target, end of block).</summary>
    Lookup,

    /// <summary>As <see cref="Lookup"/>, and the link at <see cref="CpuState.Scratch0"/> wants to be patched with the answer.</summary>
    Resolve,

    /// <summary>The instruction at RIP faulted; <see cref="Vcpu"/> holds what.</summary>
    Fault,

    /// <summary>A REP string instruction stopped between elements; RIP is at it and it goes on.</summary>
    Repeat,

    /// <summary>A managed instruction asks for a VM exit; RIP is behind it.</summary>
    Exit,
}

/// <summary>What follows when the bytes of a slow store were written.</summary>
internal enum CommitKind
{
    /// <summary>Nothing: they are in RAM that holds no code.</summary>
    Nothing = 0,

    /// <summary>They are in RAM whose frame holds decoded code.</summary>
    Ram,

    /// <summary>They are in the bounce buffer and belong to two pages.</summary>
    Split,

    /// <summary>They are in the bounce buffer and belong to a device.</summary>
    Device,
}

/// <summary>The state of one virtual CPU that handlers touch: unmanaged, one block, at a stable address.</summary>
/// <remarks>
/// Registers are addressed by byte offset from the start of the state, so that AH..BH are offsets 1, 9, 17, 25 and a micro-op
/// needs one byte for a register. Offsets 128 to 159 are registers that only addressing uses.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CpuState
{
    /// <summary>Byte offset of a register that is always zero: the absent base or index.</summary>
    public const byte ZeroRegister = 16 * 8;

    /// <summary>Byte offset of the linear address of the current code page: the base of RIP-relative operands and of RIP itself.</summary>
    public const byte CodePageRegister = 17 * 8;

    /// <summary>Byte offset of the FS base.</summary>
    public const byte FsBaseRegister = 18 * 8;

    /// <summary>Byte offset of the GS base.</summary>
    public const byte GsBaseRegister = 19 * 8;

    /// <summary>The largest store or load that a handler makes in one access, in bytes.</summary>
    public const int BounceBytes = 64;

    /// <summary>Byte offset of a constant, <see cref="FarBias"/>, for RIP-relative displacements that leave 31 bits when made page-relative.</summary>
    public const byte FarBiasRegister = 20 * 8;

    /// <summary>The value at <see cref="FarBiasRegister"/>: above any offset in a page plus an instruction's length.</summary>
    public const ulong FarBias = 0x2000;

    private fixed ulong _registers[21];

    // The tables of the filter for the current mode. Swapped when CPL or AC change.
    public FilterSlot* ReadSlots;
    public FilterSlot* WriteSlots;
    public FilterSlot* FetchSlots;

    /// <summary><see cref="TranslationFilter.OffsetMask"/>.</summary>
    public ulong SlotOffsetMask;

    /// <summary>The micro-op pool: entry i of a code page is the op at Pool + 32 i.</summary>
    public MicroOp* Pool;

    /// <summary>Parallel to the pool: what only slow paths need.</summary>
    public MicroOpDetail* Details;

    // The lazy flags while no handler runs; in argument registers otherwise. See LazyFlags.
    public ulong FlagResult;
    public ulong FlagCarry;
    public ulong FlagAux;

    /// <summary>RFLAGS without the six status flags; bit 1 is always set.</summary>
    public ulong SystemFlags;

    /// <summary>The packed countdown (see <see cref="PackedCounts"/>) while no handler runs.</summary>
    public long Budget;

    /// <summary>RIP (EIP, IP) while no handler runs: an offset in CS, whose base only 16- and 32-bit code has.</summary>
    public ulong Rip;

    /// <summary>Why the handlers returned.</summary>
    public LeaveReason Leave;

    /// <summary>Not zero: a slow instruction must leave after it completes (its block is gone, or the code page must be looked up again).</summary>
    public int Attention;

    /// <summary>Data lookups of the instruction in progress that the slow side made.</summary>
    public ulong PendingLookups;

    /// <summary>Page-crossing accesses of the instruction in progress.</summary>
    public ulong PendingSplits;

    /// <summary>What a slow store still has to do when its bytes are written: a <see cref="CommitKind"/>.</summary>
    public CommitKind PendingCommit;

    /// <summary>Second fetches of page-crossing instructions so far.</summary>
    public ulong CrossPageFetches;

    /// <summary>The virtual CPU, for slow paths: a GCHandle.</summary>
    public nint Self;

    /// <summary>Where the last slow store was directed; <see cref="SlowMemory"/> commits from here.</summary>
    public fixed byte Bounce[BounceBytes];

    /// <summary>Results of helpers that return more than one word.</summary>
    public ulong Scratch0;
    public ulong Scratch1;

    /// <summary>Bits that linear addresses and RIP do not have: none in 64-bit mode, 63:32 in the others.</summary>
    public ulong AbsentAddressBits;

    /// <summary>Base of CS; 0 in 64-bit mode.</summary>
    public ulong CodeBase;

    /// <summary>Highest offset of an instruction byte outside 64-bit mode.</summary>
    public ulong CodeLimit;

    /// <summary>Bits of RSP that are the stack pointer: 64, 32 or 16.</summary>
    public ulong StackMask;

    /// <summary>Segments as accesses outside 64-bit mode see them.</summary>
    public SegmentWindows Segments;

    /// <summary>The width of RIP and of memory addresses in IA-32e mode: 48, or 57 with CR4.LA57.</summary>
    public int LinearAddressBits;

    /// <summary>The op that came to the slow side last: whose access it is that the MMU is asked about.</summary>
    public MicroOp* SlowOp;
}

/// <summary>Access to registers of the state by byte offset.</summary>
internal static unsafe class Registers
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong* Pointer(CpuState* s, byte offset) => (ulong*)((byte*)s + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(CpuState* s, byte offset) => *(ulong*)((byte*)s + offset);
}
