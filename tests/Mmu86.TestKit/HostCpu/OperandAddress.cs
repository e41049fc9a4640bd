namespace Mmu86.TestKit.HostCpu;

/// <summary>What a memory operand may be aimed at.</summary>
internal enum OperandUse
{
    /// <summary>Plain data, read or written: anywhere, faults included.</summary>
    Data,

    /// <summary>Data with LOCK, or XCHG: as data, but within one cache line unless the processor takes split locks quietly.</summary>
    Locked,

    /// <summary>Data whose value decides what happens next (a branch target, flags): never where the content is not the case's own.</summary>
    Controlled,
}

/// <summary>Chooses linear addresses for memory operands: mostly in the window, now and then where paging has something to say.</summary>
internal static class OperandAddress
{
    private const ulong FirstNonCanonical = 0x0000_8000_0000_0000;
    private const ulong ReadOnlyEnd = ScratchMemory.ReadOnlyStart + ScratchMemory.ReadOnlyBytes;

    /// <summary>An address for an operand.</summary>
    /// <param name="draft">The case.</param>
    /// <param name="bytes">Size of the operand.</param>
    /// <param name="use">What the operand is for.</param>
    /// <param name="splitLocks">Whether a locked operand may cross a cache line.</param>
    public static ulong Choose(CaseDraft draft, int bytes, OperandUse use, SplitLocks splitLocks)
    {
        ulong address = Choose(draft, bytes, use);
        if (use != OperandUse.Locked || splitLocks == SplitLocks.Allowed || (address & 63) + (ulong)bytes <= 64)
            return address;
        return address & ~63UL;
    }

    private static ulong Choose(CaseDraft draft, int bytes, OperandUse use)
    {
        CaseRandom random = draft.Random;
        // How much of the operand lies below the boundary it crosses: at least a byte, not all.
        ulong below = bytes > 1 ? 1 + (ulong)random.Below(bytes - 1) : 0;
        return random.Below(100) switch
        {
            < 82 => draft.AddressInWindow(bytes),
            < 88 => ScratchMemory.DataStart + 0x1000 - below,
            < 90 => ScratchMemory.DataStart - below - (ulong)random.Below(2),
            < 92 => ReadOnlyEnd - (use == OperandUse.Controlled ? 0 : below),
            < 93 => ReadOnlyEnd + (ulong)random.Below(0x800),
            < 95 => use == OperandUse.Controlled ? draft.AddressInWindow(bytes) : ScratchMemory.ReadOnlyStart - below,
            < 97 => use == OperandUse.Controlled ? draft.AddressInWindow(bytes) : ScratchMemory.ReadOnlyStart + (ulong)random.Below(0xF00),
            < 98 => FirstNonCanonical - below,
            _ => NonCanonical(random),
        };
    }

    // Bits 63:47 neither all clear nor all set.
    private static ulong NonCanonical(CaseRandom random)
    {
        ulong address = random.Next() & 0x7FFF_FFFF_FFFF_FF00;
        return address >> 47 == 0 ? address | FirstNonCanonical : address;
    }
}
