using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>How instructions are put into blocks; part of a block's key.</summary>
internal enum BlockKind
{
    /// <summary>Runs of instructions, fused where that helps, linked inside their page.</summary>
    Chained = 0,

    /// <summary>One instruction, then back to the run loop.</summary>
    SingleStep = 1,
}

/// <summary>How a block is decoded: what makes the same bytes another block.</summary>
/// <param name="Kind">How instructions are put together.</param>
/// <param name="Mode">What they mean.</param>
internal readonly record struct BlockForm(BlockKind Kind, CodeMode Mode);

/// <summary>Where a page-crossing instruction begins.</summary>
internal readonly record struct CrossingKey(HostPhysicalAddress First, BlockForm Form);
