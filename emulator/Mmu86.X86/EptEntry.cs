namespace Mmu86.X86;

/// <summary>Bits of an EPT paging-structure entry. SDM 3, "EPT Translation Mechanism".</summary>
/// <remarks>
/// <code>
/// 63   62    61   60..59  58   57   56..52  51..M     M-1..12  11     10  9  8  7   6     5..3     2  1  0
/// SVE  ign.  SPP  ign.    PWA  VGP  ign.    reserved  address  ign.   XU  D  A  PS  IPAT  memtype  X  W  R
/// </code>
/// XU, VGP, PWA, SPP and SVE are ignored unless a control of the VMCS gives them meaning.
/// </remarks>
public static class EptEntry
{
    public const ulong Read = 1UL << 0;
    public const ulong Write = 1UL << 1;

    /// <summary>Fetches; with mode-based execute control, fetches from supervisor-mode linear addresses.</summary>
    public const ulong Execute = 1UL << 2;
    public const ulong Rights = Read | Write | Execute;
    public const ulong MemoryTypeMask = 7UL << 3;
    public const ulong MemoryTypeWriteBack = 6UL << 3;
    public const ulong IgnorePat = 1UL << 6;
    public const ulong PageSizeBit = 1UL << 7;
    public const ulong Accessed = 1UL << 8;
    public const ulong Dirty = 1UL << 9;

    /// <summary>With mode-based execute control, fetches from user-mode linear addresses.</summary>
    public const ulong UserExecute = 1UL << 10;

    /// <summary>In an entry that maps a page, with guest-paging verification: whoever translates to this page must use tables that paging may write.</summary>
    public const ulong VerifyGuestPaging = 1UL << 57;

    /// <summary>In an entry that maps a page, with paging-write control: accessed and dirty flags in guest tables may be set though W is 0.</summary>
    public const ulong PagingWriteAccess = 1UL << 58;

    /// <summary>In an EPT PTE, with sub-page write permissions: the sub-page-permission table decides about writes.</summary>
    public const ulong SubPageWrite = 1UL << 61;

    /// <summary>An EPT violation that this entry decides is a VM exit, never #VE.</summary>
    public const ulong SuppressVirtualizationException = 1UL << 63;
    public const ulong AddressMask = 0x000F_FFFF_FFFF_F000;
}
