using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>What a recorder asks beside <see cref="IMmu"/>.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    private IRemovalObserver? _removals;

    /// <summary>Bits of a paging-structure entry that are an address on this machine.</summary>
    internal ulong TableAddressMask => PagingEntry.AddressMask & ((1UL << _configuration.PhysicalAddressBits) - 1);

    /// <summary>The space of the current address space's tags.</summary>
    internal uint CurrentSpace => _space;

    /// <summary>Tells one of everything that is dropped from now on.</summary>
    internal void ObserveRemovals(IRemovalObserver observer)
    {
        _removals = observer;
        _tags.Removals = observer;
    }

    private void TellSpaceLeft(TlbLevel level, uint space)
    {
        if (level == _l1Instruction || level == _l1Data)
            _removals?.SpaceLeft(level == _l1Data ? AccessKind.Read : AccessKind.Fetch, space);
    }

    /// <summary>The address that an access looks up, without metadata.</summary>
    /// <returns>False where it looks up nothing: the address is not canonical.</returns>
    internal bool TryPrepare(ref ulong linear, AccessKind kind, AccessMode mode) => _addresses.IsOrdinary(linear) || _addresses.TryPrepare(ref linear, kind, mode);

    /// <summary>Finds a guest-physical address in host memory, without a trace.</summary>
    internal bool TryLocate(ulong guestAddress, out ulong hostAddress)
    {
        hostAddress = guestAddress;
        return !_context.IsNested || _walker.TryFindGuestPhysical(guestAddress, out hostAddress);
    }

    /// <summary>What the translation just made is: where it is held, or by a walk that leaves no trace.</summary>
    /// <param name="linear">The address looked up.</param>
    /// <param name="kind">What the access did.</param>
    /// <param name="mode">On whose behalf.</param>
    /// <param name="data">The data word of an entry.</param>
    /// <returns>The space of the entry's tag.</returns>
    internal uint Describe(ulong linear, AccessKind kind, AccessMode mode, out ulong data)
    {
        TlbLevel first = FirstLevel(kind);
        if (first.TryFind(linear, _space, _globalSpace, out TlbHit hit) || first.Below.TryFind(linear, _space, _globalSpace, out hit))
        {
            data = hit.Data;
            return Tag.Space(hit.Tag);
        }

        bool found = _walker.TryWalkTables<TableWalk>(linear, kind, mode, out WalkResult result);
        data = found ? result.Flags : 0;
        return found && result.IsGlobal ? _globalSpace : _space;
    }

    /// <summary>Whether the tables translate an address to where a lookup went, and permit it. Leaves no trace.</summary>
    internal bool IsInTables(ulong linear, AccessKind kind, AccessMode mode, HostPhysicalAddress answer) =>
        _walker.TryWalkTables<TableWalk>(linear, kind, mode, out WalkResult result) && result.Host == answer.Value;

    /// <summary>Whether the first level has a page, rights or not. Leaves no trace.</summary>
    internal bool IsInFirstLevel(ulong linear, AccessKind kind) =>
        FirstLevel(kind).TryFind(linear, _space, _globalSpace, out _);

    /// <summary>Makes lookups that another machine made: equal ones in turn, of which all but the first may be hits that change nothing.</summary>
    internal void Replay(ulong linear, AccessKind kind, AccessMode mode, uint times)
    {
        LinearAddress address = new(linear);
        TryTranslate(address, kind, mode, out _);
        if (times == 1)
            return;
        bool isFetch = kind == AccessKind.Fetch;
        if (FirstLevel(kind).TryFind(linear, _space, _globalSpace, out TlbHit hit)
            && _rights.Judge(AccessRights.Class(kind, mode), hit.Data) == AccessRights.Allowed)
        {
            ref LookupAttribution lookups = ref isFetch ? ref _fetch : ref _data;
            lookups.SlowLookups += times - 1;
            hit.Lane->Hits += times - 1;
            return;
        }

        for (uint i = 1; i < times; i++)
            TryTranslate(address, kind, mode, out _);
    }
}
