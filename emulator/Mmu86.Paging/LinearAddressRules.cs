using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What is asked of a linear address before paging: its width, canonical form, address masking and address-space separation.</summary>
/// <remarks>
/// SDM 3, "Paging Modes and Control Bits", "Linear-Address Masking (LAM)" and "Linear-Address-Space Separation (LASS)". Nearly every
/// address is ordinary: canonical, and neither masked nor separated. One addition and one comparison tell, and the rest is out of line.
/// </remarks>
internal readonly struct LinearAddressRules
{
    private const ulong LamUser57 = 1UL << 61;
    private const ulong LamUser48 = 1UL << 62;

    // Ordinary addresses are those from -_lowest on, _span of them.
    private readonly ulong _lowest;
    private readonly ulong _span;
    private readonly PagingContext _context;
    private readonly bool _isLegacy;

    // The width of a canonical address, and of a masked one by bit 63; 64 where nothing is masked.
    private readonly int _width;
    private readonly int _userWidth;
    private readonly int _supervisorWidth;

    /// <summary>The rules of a context.</summary>
    public LinearAddressRules(in PagingContext context)
    {
        _context = context;
        _userWidth = 64;
        _supervisorWidth = 64;
        GuestPagingMode mode = context.Mode;
        _isLegacy = mode < GuestPagingMode.FourLevel;
        if (_isLegacy)
        {
            _span = 1UL << 32;
            return;
        }

        _width = mode == GuestPagingMode.FiveLevel ? 57 : 48;
        if ((context.Cr3 & (LamUser57 | LamUser48)) != 0)
            _userWidth = (context.Cr3 & LamUser57) != 0 ? 57 : 48;
        if ((context.Cr4 & Cr4.LinearAddressMaskingSupervisor) != 0)
            _supervisorWidth = _width;
        // With 57 bits of which 48 count, masking changes canonical addresses too. Separation judges every one.
        _lowest = 1UL << (Math.Min(_width, Math.Min(_userWidth, _supervisorWidth)) - 1);
        _span = (context.Cr4 & Cr4.LinearAddressSpaceSeparation) != 0 ? 0 : 2 * _lowest;
    }

    /// <summary>Whether an address is used as it is by every access.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsOrdinary(ulong linear) => linear + _lowest < _span;

    /// <summary>Whether an address is canonical as it stands. Outside IA-32e mode linear addresses have 32 bits.</summary>
    public bool IsCanonical(ulong linear) => _isLegacy ? linear >> 32 == 0 : IsSignExtended(linear, _width);

    /// <summary>Makes the address of an access the one that paging translates.</summary>
    /// <param name="linear">The address; where the result is true, without its metadata. Else it means nothing any more.</param>
    /// <param name="kind">What the access does.</param>
    /// <param name="mode">On whose behalf.</param>
    /// <returns>False where the access is #GP(0), or #SS(0) for a stack reference.</returns>
    public bool TryPrepare(ref ulong linear, AccessKind kind, AccessMode mode)
    {
        if (_isLegacy)
            return linear >> 32 == 0;
        if (IsSeparated(linear, kind, mode))
            return false;
        if (kind != AccessKind.Fetch)
            linear = Unmask(linear);
        return IsSignExtended(linear, _width);
    }

    private bool IsSeparated(ulong linear, AccessKind kind, AccessMode mode)
    {
        if ((_context.Cr4 & Cr4.LinearAddressSpaceSeparation) == 0)
            return false;
        bool isUpperHalf = linear >> 63 != 0;
        if (mode == AccessMode.User || isUpperHalf)
            return mode == AccessMode.User && isUpperHalf;
        if (kind == AccessKind.Fetch)
            return true;
        return (_context.Cr4 & Cr4.Smap) != 0 && mode != AccessMode.SupervisorWithAc;
    }

    // Bits 62 down to the width take the value of the bit below; bit 63 stays, so that a wrong one shows.
    private ulong Unmask(ulong linear)
    {
        int unused = 64 - (linear >> 63 == 0 ? _userWidth : _supervisorWidth);
        const ulong Sign = 1UL << 63;
        return (linear & Sign) | ((ulong)((long)(linear << unused) >> unused) & ~Sign);
    }

    private static bool IsSignExtended(ulong linear, int width) => (ulong)((long)(linear << (64 - width)) >> (64 - width)) == linear;
}
