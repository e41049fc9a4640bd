using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The sub-page-permission tables. SDM 3, "Sub-Page Write Permissions".</summary>
/// <remarks>The entry of the lowest level is a vector: bit 2n permits writes to the n-th 128 bytes of the page, odd bits are reserved.</remarks>
internal readonly struct SubPagePaging : ITableFormat
{
    /// <inheritdoc/>
    public static WalkDimension Dimension => WalkDimension.Ept;

    /// <inheritdoc/>
    public static int IndexBits => 9;

    /// <inheritdoc/>
    public static int EntryBytes => 8;

    /// <inheritdoc/>
    public static ulong Prefixed(ulong address) => address;

    /// <inheritdoc/>
    public static ulong PresentMask => PagingEntry.Present;

    /// <inheritdoc/>
    public static ulong RightsMask => 0;

    /// <inheritdoc/>
    public static bool MayRestart => false;

    /// <inheritdoc/>
    public static ulong Granted(ulong entry, bool mapsPage) => entry;

    /// <inheritdoc/>
    public static ulong Accessed => 0;

    /// <inheritdoc/>
    public static bool IsMalformed(in TableLayout layout, ulong entry, bool mapsPage) => false;
}

/// <content>Sub-page write permissions: a third set of tables, through the same loop.</content>
internal sealed unsafe partial class Walker
{
    private const ulong OddBits = 0xAAAA_AAAA_AAAA_AAAA;

    private readonly Descent* _subPages;

    // A data write to the address itself that nothing but W=0 denies, in a page whose entry leaves the decision to the tables.
    private bool IsSubPageWrite(ulong entry, int level, ulong rights, ulong missing, EptViolationQualification access) =>
        _controls?.SubPagePermissionTable is not null
        && level == 1
        && (entry & EptEntry.SubPageWrite) != 0
        && missing == EptEntry.Write
        && (access & EptViolationQualification.FinalTranslation) != 0
        && (rights & EptEntry.Read) != 0;

    // The rights deny the access: sub-page permissions may grant it nevertheless. That verification failed is told where nothing else did.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryPermitSubPage<TWalk>(ulong address, int mapLevel, ulong rights, ulong needed, EptViolationQualification access)
        where TWalk : struct, IWalkKind
    {
        bool isUnverified = (needed & ~rights & EptEntry.VerifyGuestPaging) != 0;
        ulong missing = needed & ~rights & ~EptEntry.VerifyGuestPaging;
        if (isUnverified && missing == 0)
            return FailRights<TWalk>(address, access | EptViolationQualification.GuestPagingVerification, rights);
        if (!IsSubPageWrite(_ept->Entry, mapLevel, rights, missing, access))
            return FailRights<TWalk>(address, access, rights);
        Descent* descent = _subPages;
        descent->Root = _controls!.SubPagePermissionTable!.Value.Value;
        descent->Address = address;
        DescentEnd end = Descend<SubPagePaging, HostTables, TWalk>(descent, address, out _, out _, out int level);
        if (level > 1)
            return FailSubPage(address, end == DescentEnd.NotPresent ? TranslationFailure.SubPageMiss : TranslationFailure.SubPageMisconfiguration);
        if ((descent->Entry & OddBits) != 0)
            return FailSubPage(address, TranslationFailure.SubPageMisconfiguration);
        int subPage = (int)(address >> 7) & 31;
        if ((descent->Entry >> (2 * subPage) & 1) == 0)
            return FailRights<TWalk>(address, access, rights);
        return !isUnverified || FailRights<TWalk>(address, access | EptViolationQualification.GuestPagingVerification, rights);
    }

    private bool FailSubPage(ulong address, TranslationFailure failure)
    {
        Fault = new TranslationFault { Failure = failure, Linear = new LinearAddress(_linear), GuestPhysical = new GuestPhysicalAddress(address) };
        return false;
    }
}
