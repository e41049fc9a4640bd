using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Diagnostics;

/// <summary>Translations in words: one place, so that records, stories and reports say the same.</summary>
public static class TranslationWords
{
    /// <summary><c>fetch</c>, <c>read</c> or <c>write</c>.</summary>
    public static string Of(AccessKind kind) => kind switch
    {
        AccessKind.Fetch => "fetch",
        AccessKind.Read => "read",
        AccessKind.Write => "write",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>On whose behalf, for a sentence.</summary>
    public static string Of(AccessMode mode) => mode switch
    {
        AccessMode.User => "user mode",
        AccessMode.Supervisor => "supervisor mode",
        AccessMode.SupervisorWithAc => "supervisor mode with AC=1",
        AccessMode.Implicit => "the processor itself",
        _ => throw new ArgumentOutOfRangeException(nameof(mode)),
    };

    /// <summary>A page size for a sentence: <c>4 KiB</c>.</summary>
    public static string Of(PageSize size) => size switch
    {
        PageSize.Size4K => "4 KiB",
        PageSize.Size2M => "2 MiB",
        PageSize.Size1G => "1 GiB",
        PageSize.Size4M => "4 MiB",
        _ => throw new ArgumentOutOfRangeException(nameof(size)),
    };

    /// <summary>What stands before the name of a nested entry: <c>EPT</c>, or <c>nested</c> with AMD's nested page tables.</summary>
    public static string Nested(NestedFormat format) => format switch
    {
        NestedFormat.Ept => "EPT",
        NestedFormat.Npt => "nested",
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>The key of the second dimension in records: <c>ept</c> or <c>npt</c>.</summary>
    public static string Key(NestedFormat format) => format switch
    {
        NestedFormat.Ept => "ept",
        NestedFormat.Npt => "npt",
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };

    /// <summary>The name of an entry by level: <c>PML5E</c> to <c>PTE</c>.</summary>
    public static string EntryName(WalkDimension dimension, NestedFormat format, int level)
    {
        string name = level switch
        {
            5 => "PML5E",
            4 => "PML4E",
            3 => "PDPTE",
            2 => "PDE",
            1 => "PTE",
            _ => throw new ArgumentOutOfRangeException(nameof(level)),
        };
        return dimension == WalkDimension.Ept ? $"{Nested(format)} {name}" : name;
    }

    /// <summary>A memory type by the manual's abbreviation.</summary>
    public static string Of(MemoryType type) => type switch
    {
        MemoryType.Uncacheable => "UC",
        MemoryType.WriteCombining => "WC",
        MemoryType.WriteThrough => "WT",
        MemoryType.WriteProtected => "WP",
        MemoryType.WriteBack => "WB",
        MemoryType.UncacheableMinus => "UC-",
        MemoryType.CacheDisable => "CD",
        MemoryType.WriteCombiningPlus => "WC+",
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    /// <summary>The key of a source in records and reports.</summary>
    public static string Key(WalkSource source) => source switch
    {
        WalkSource.Memory => "memory",
        WalkSource.Pml5eCache => "pml5e",
        WalkSource.Pml4eCache => "pml4e",
        WalkSource.PdpteCache => "pdpte",
        WalkSource.PdeCache => "pde",
        WalkSource.EptPml4eCache => "eptPml4e",
        WalkSource.EptPdpteCache => "eptPdpte",
        WalkSource.EptPdeCache => "eptPde",
        WalkSource.NestedTlb => "nestedTlb",
        _ => throw new ArgumentOutOfRangeException(nameof(source)),
    };

    /// <summary>The key of a level of the memory hierarchy in records and reports.</summary>
    public static string Key(MemoryLevel level) => level switch
    {
        MemoryLevel.L1Data => "l1d",
        MemoryLevel.L2 => "l2",
        MemoryLevel.L3 => "l3",
        MemoryLevel.Memory => "memory",
        _ => throw new ArgumentOutOfRangeException(nameof(level)),
    };

    /// <summary>A level of the memory hierarchy for a sentence.</summary>
    public static string Of(MemoryLevel level) => level switch
    {
        MemoryLevel.L1Data => "the L1 data cache",
        MemoryLevel.L2 => "the L2 cache",
        MemoryLevel.L3 => "the L3 cache",
        MemoryLevel.Memory => "memory",
        _ => throw new ArgumentOutOfRangeException(nameof(level)),
    };

    /// <summary>A source for a sentence.</summary>
    public static string Of(WalkSource source, NestedFormat format) => source switch
    {
        WalkSource.Memory => "memory",
        WalkSource.Pml5eCache => "PML5E cache",
        WalkSource.Pml4eCache => "PML4E cache",
        WalkSource.PdpteCache => "PDPTE cache",
        WalkSource.PdeCache => "PDE cache",
        WalkSource.EptPml4eCache => $"{Nested(format)} PML4E cache",
        WalkSource.EptPdpteCache => $"{Nested(format)} PDPTE cache",
        WalkSource.EptPdeCache => $"{Nested(format)} PDE cache",
        WalkSource.NestedTlb => "nested TLB",
        _ => throw new ArgumentOutOfRangeException(nameof(source)),
    };

    /// <summary>The rights of a translation as words for records.</summary>
    public static IReadOnlyList<string> Of(TranslationRights rights, NestedFormat format)
    {
        string nested = Key(format);
        List<string> words = [];
        Add(TranslationRights.Writable, "writable");
        Add(TranslationRights.User, "user");
        Add(TranslationRights.Executable, "executable");
        Add(TranslationRights.Dirty, "dirty");
        Add(TranslationRights.EptRead, $"{nested}Read");
        Add(TranslationRights.EptWrite, $"{nested}Write");
        Add(TranslationRights.EptExecute, $"{nested}Execute");
        return words;

        void Add(TranslationRights right, string word)
        {
            if ((rights & right) != 0)
                words.Add(word);
        }
    }

    /// <summary>A page fault's error code in words: <c>a user write to a page that is not present</c>.</summary>
    public static string Of(PageFaultErrorCode code)
    {
        string access = (code & PageFaultErrorCode.InstructionFetch) != 0 ? "fetch" : (code & PageFaultErrorCode.Write) != 0 ? "write" : "read";
        string who = (code & PageFaultErrorCode.User) != 0 ? "user" : "supervisor";
        string why = (code & PageFaultErrorCode.ProtectionKey) != 0 ? "was denied by the protection key of the page"
            : (code & PageFaultErrorCode.Reserved) != 0 ? "met a reserved bit"
            : (code & PageFaultErrorCode.Present) == 0 ? "met an entry that is not present"
            : "was denied by the rights of the page";
        return $"a {who} {access} {why}";
    }

    /// <summary>A failed translation in one sentence without a full stop.</summary>
    public static string Of(in TranslationFault fault) => fault.Failure switch
    {
        TranslationFailure.NonCanonical => $"{fault.Linear} is not canonical",
        TranslationFailure.PageFault => $"#PF with error code 0x{(uint)fault.ErrorCode:x} at {fault.Linear}: {Of(fault.ErrorCode)}",
        TranslationFailure.EptViolation => $"EPT violation at {fault.GuestPhysical}, qualification 0x{(ulong)fault.Qualification:x}: {Of(fault.Qualification)}",
        TranslationFailure.EptMisconfiguration => $"EPT misconfiguration at {fault.GuestPhysical}",
        TranslationFailure.NestedPageFault => $"nested page fault at {fault.GuestPhysical}, EXITINFO1 0x{(ulong)fault.NestedErrorCode:x}: {Of(fault.NestedErrorCode)}",
        TranslationFailure.PageModificationLogFull => $"page-modification log full at {fault.GuestPhysical}",
        TranslationFailure.SubPageMiss => $"SPP miss at {fault.GuestPhysical}",
        TranslationFailure.SubPageMisconfiguration => $"SPP misconfiguration at {fault.GuestPhysical}",
        TranslationFailure.None => "no failure",
        _ => throw new ArgumentOutOfRangeException(nameof(fault)),
    };

    private static string Of(NestedPageFaultErrorCode code)
    {
        string access = (code & NestedPageFaultErrorCode.InstructionFetch) != 0 ? "fetch" : (code & NestedPageFaultErrorCode.Write) != 0 ? "write" : "read";
        string where = (code & NestedPageFaultErrorCode.FinalAddress) != 0 ? "of the address itself" : "of a guest table";
        string why = (code & NestedPageFaultErrorCode.Reserved) != 0 ? "met a reserved bit"
            : (code & NestedPageFaultErrorCode.Present) == 0 ? "met an entry that is not present"
            : "was denied by the nested tables' rights";
        return $"a {access} {where} {why}";
    }

    private static string Of(EptViolationQualification qualification)
    {
        string access = (qualification & EptViolationQualification.Fetch) != 0 ? "fetch" : (qualification & EptViolationQualification.Write) != 0 ? "write" : "read";
        const EptViolationQualification Rights =
            EptViolationQualification.GuestPhysicalReadable | EptViolationQualification.GuestPhysicalWritable | EptViolationQualification.GuestPhysicalExecutable;
        string why = (qualification & Rights) == 0 ? "met an entry that is not present" : "was denied by EPT's rights";
        string where = (qualification & EptViolationQualification.FinalTranslation) != 0 ? "of the address itself" : "of a guest table";
        return $"a {access} {where} {why}";
    }
}
