using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>Walks that no access asked for.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    // Of reads and writes, and of fetches; null where the machine has none.
    private readonly Prefetcher? _dataPrefetcher;
    private readonly Prefetcher? _fetchPrefetcher;

    // A miss was walked for, and all that is told of it was told.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void PrefetchBehind(ulong linear, AccessKind kind, AccessMode mode, TlbLevel level, PageSize size)
    {
        Prefetcher prefetcher = kind == AccessKind.Fetch ? _fetchPrefetcher! : _dataPrefetcher!;
        // Nothing is written before somebody writes: no dirty flag of a page.
        AccessKind harmless = kind == AccessKind.Write ? AccessKind.Read : kind;
        foreach (ulong address in prefetcher.Predict(linear, size))
        {
            if (_addresses.IsCanonical(address))
                PrefetchPage(address, harmless, mode, level);
        }
    }

    private void PrefetchPage(ulong linear, AccessKind kind, AccessMode mode, TlbLevel level)
    {
        TlbLevel second = level.Below;
        if (second.TryFind(linear, _space, _globalSpace, out _)
            || (second.IsExclusive && level.TryFind(linear, _space, _globalSpace, out _)))
            return;
        if (!_walker.TryWalk<ArchitecturalWalk>(linear, kind, mode, out WalkResult result))
        {
            // What refuses an access refuses nothing here: the page is not prefetched.
            _walks.FlagUpdates += _walker.FlagUpdates;
            return;
        }

        _walks.Walked(_walker, WalkReason.Prefetch);
        if (_walker.MayPermitOnce && _rights.Judge(AccessRights.Class(kind, mode), result.Flags) == AccessRights.Denied)
            return;
        result.Pages = _coalesces ? CountCoalesced(level, kind, result) : 1;
        if (second.Held(result.Size, result.Pages) is var held and >= 0)
            second.Insert(linear, result.IsGlobal ? _globalSpace : _space, (PageSize)held, result.Host, result.Flags, out _);
    }
}
