using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>Four counters in one word, so that leaving a block costs one addition and one sign test.</summary>
/// <remarks>
/// <code>
/// 63..48                 47..32   31..16   15..0
/// instructions left      loads    stores   read-modify-writes
/// </code>
/// The top field counts down and is signed: a negative word means that the budget is used up. The others count up. A chunk of
/// <see cref="ChunkInstructions"/> keeps each field inside its 16 bits: an instruction that handlers run makes at most two of each.
/// </remarks>
internal static class PackedCounts
{
    /// <summary>Instructions that the handlers may run before the run loop folds the counts away.</summary>
    public const int ChunkInstructions = 16384;

    /// <summary>A budget of so many instructions with nothing counted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static long Budget(int instructions) => (long)instructions << 48;

    /// <summary>What one instruction adds.</summary>
    public static long Of(int instructions, int loads, int stores, int readModifyWrites) =>
        ((long)-instructions << 48) + ((long)loads << 32) + ((long)stores << 16) + readModifyWrites;

    public static int InstructionsLeft(long packed) => (int)(packed >> 48);

    public static int Loads(long packed) => (int)((packed >> 32) & 0xFFFF);

    public static int Stores(long packed) => (int)((packed >> 16) & 0xFFFF);

    public static int ReadModifyWrites(long packed) => (int)(packed & 0xFFFF);
}
