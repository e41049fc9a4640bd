namespace Mmu86.GuestPrograms;

/// <summary>What the cases of <c>kernel-page-matrix</c> are: shared by the kernel, which tries them, and the reference, which judges them.</summary>
internal static class PageMatrixCases
{
    /// <summary>The values that flags of the varied entry take together: P, R/W, U/S, A, D, G, and XD if NXE is 1.</summary>
    public const int FlagValues = 128;

    /// <summary>The values that the other entry takes.</summary>
    public const int OtherValues = 5;

    public const ulong ExecuteDisable = 1UL << PagingFlags.ExecuteDisableBit;

    /// <summary>Offsets in the page: the code of a fetch, what is read and written, the LDT and its descriptor.</summary>
    public const int CodeOffset = 0;
    public const int DataOffset = 0x800;
    public const int TableOffset = 0x900;
    public const int DescriptorOffset = TableOffset + 8;

    /// <summary>What the word is set to before each access, and what a write makes of it.</summary>
    public const uint WordBefore = 0x0BAD_CAFE;
    public const uint WordWritten = 0x600D_F00D;

    /// <summary>The flag in the outcome that says that there was a fault. Below it is the error code, above it CR2 from the page on.</summary>
    public const int FaultBit = 31;

    public const ulong DigestStart = 0xCBF2_9CE4_8422_2325;
    public const ulong DigestPrime = 0x0000_0100_0000_01B3;

    private static readonly ulong[] FlagBits =
    [
        PagingFlags.Present, PagingFlags.ReadWrite, PagingFlags.UserSupervisor, PagingFlags.Accessed, PagingFlags.Dirty, PagingFlags.Global,
        ExecuteDisable,
    ];

    /// <summary>The second access with the TLB warm: another one, so that a translation made for one judges the other.</summary>
    public static readonly PageMatrixAccess[] SecondAccess =
    [
        PageMatrixAccess.SupervisorWrite, PageMatrixAccess.UserFetch, PageMatrixAccess.UserRead, PageMatrixAccess.UserWrite,
        PageMatrixAccess.SupervisorRead, PageMatrixAccess.SupervisorWrite, PageMatrixAccess.UserSegmentLoad, PageMatrixAccess.SupervisorSegmentLoad,
    ];

    /// <summary>The bits of the flags with this number.</summary>
    public static ulong Flags(int number)
    {
        ulong flags = 0;
        for (int i = 0; i < FlagBits.Length; i++)
            flags |= ((ulong)number >> i & 1) * FlagBits[i];
        return flags;
    }

    /// <summary>What the value with this number clears in the other entry, which is a present, writable, user-mode one otherwise.</summary>
    public static ulong OtherCleared(int number, bool executeDisable) => number switch
    {
        1 => PagingFlags.ReadWrite,
        2 => PagingFlags.UserSupervisor,
        3 => executeDisable ? 0 : PagingFlags.ReadWrite | PagingFlags.UserSupervisor,
        4 => PagingFlags.Present,
        _ => 0,
    };

    /// <summary>What the value with this number sets in the other entry.</summary>
    public static ulong OtherSet(int number, bool executeDisable) => number == 3 && executeDisable ? ExecuteDisable : 0;

    /// <summary>Adds a word to a digest: FNV-1a of 64 bits, over words rather than bytes.</summary>
    public static ulong Digest(ulong digest, ulong word) => (digest ^ word) * DigestPrime;
}
