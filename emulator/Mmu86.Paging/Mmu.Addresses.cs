using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Addresses that are not translated as they are: masked, truncated, separated or not canonical.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    /// <inheritdoc/>
    public bool IsCanonical(LinearAddress address, AccessKind kind, AccessMode mode)
    {
        ulong linear = address.Value;
        return _addresses.IsOrdinary(linear) || _addresses.TryPrepare(ref linear, kind, mode);
    }

    // As TryTranslate, whose short way is for ordinary addresses.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryTranslateUnusual(ulong linear, AccessKind kind, AccessMode mode, out Translation translation)
    {
        ulong given = linear;
        if (!_addresses.TryPrepare(ref linear, kind, mode))
            return FailNonCanonical(given, kind, mode, out translation);
        TlbLevel level;
        if (kind == AccessKind.Fetch)
        {
            _fetch.SlowLookups++;
            level = _l1Instruction;
        }
        else
        {
            _data.SlowLookups++;
            level = _l1Data;
        }

        return level.TryFind(linear, _space, _globalSpace, out TlbHit hit)
            ? TryTranslateElsewhere(linear, kind, mode, hit.Lane, hit.Entry, hit.Set, out translation)
            : TryTranslateElsewhere(linear, kind, mode, level.Door, -1, 0, out translation);
    }
}
