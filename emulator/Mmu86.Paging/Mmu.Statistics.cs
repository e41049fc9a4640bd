using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>What is counted, and what is told.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    /// <inheritdoc/>
    public MmuStatistics Statistics => Read(0, 0);

    /// <summary>Misses of the three levels: cheap enough to compare after every access.</summary>
    internal (ulong L1Instruction, ulong L1Data, ulong L2) Misses => (_l1Instruction.Misses, _l1Data.Misses, _l2.Misses + (_l2Instruction?.Misses ?? 0));

    /// <inheritdoc/>
    public TranslationWork Work => new(
        SecondLevelHits,
        _walks.Miss + _walks.Dirty + _walks.Rights + _walks.Faulted,
        _walks.GuestReferences + _walks.EptReferences + _walks.FaultedReferences - _walks.PrefetchReferences);

    /// <inheritdoc/>
    public bool AttributionIsDue => TPolicy.Counts && _data.IsDue;

    /// <inheritdoc/>
    public MmuStatistics Snapshot(ulong dataLookups, ulong fetchLookups) => Read(_data.Outstanding(dataLookups), _fetch.Outstanding(fetchLookups));

    /// <inheritdoc/>
    public void Attribute(ulong dataLookups)
    {
        if (_data.Settle(dataLookups, _l1Data))
            _filter.Clear();
    }

    /// <inheritdoc/>
    public WalkTrace Inspect(LinearAddress address, AccessKind kind, AccessMode mode)
    {
        ulong linear = address.Value;
        if (!_addresses.TryPrepare(ref linear, kind, mode))
            return Failure(address.Value, kind, mode, new TranslationFault { Failure = TranslationFailure.NonCanonical, Linear = address }, null, []);
        int accessClass = AccessRights.Class(kind, mode);
        WalkReason reason = WalkReason.Miss;
        TlbLevel first = FirstLevel(kind);
        bool isInFirst = first.TryFind(linear, _space, _globalSpace, out TlbHit hit);
        if (isInFirst || first.Below.TryFind(linear, _space, _globalSpace, out hit))
        {
            byte verdict = _rights.Judge(accessClass, hit.Data);
            PageSize size = hit.Lane->Size;
            if (verdict == AccessRights.Allowed)
                return Answered(
                    isInFirst ? TranslationHit.L1 : TranslationHit.L2,
                    hit.Data,
                    new HostPhysicalAddress(TlbEntry.HostAddress(hit.Data, linear, hit.Lane->OffsetMask)),
                    isInFirst ? size : Filled(first, size),
                    linear,
                    kind,
                    mode);
            reason = ReasonOf(verdict);
        }

        if (!_walker.TryInspect(linear, kind, mode, out WalkResult result))
            return Failure(linear, kind, mode, _walker.Fault, reason, Steps(linear));
        bool isPermittedOnce = _walker.MayPermitOnce && _rights.Judge(accessClass, result.Flags) == AccessRights.Denied;
        return Success(result, isPermittedOnce ? result.Size : Filled(first, result.Size), linear, kind, mode, reason);
    }

    /// <inheritdoc/>
    public WalkTrace ReadTables(LinearAddress address, AccessKind kind, AccessMode mode)
    {
        ulong linear = address.Value;
        if (!_addresses.TryPrepare(ref linear, kind, mode))
            return Failure(address.Value, kind, mode, new TranslationFault { Failure = TranslationFailure.NonCanonical, Linear = address }, null, []);
        return _walker.TryWalkTables<RecordedTableWalk>(linear, kind, mode, out WalkResult result)
            ? Success(result, result.Size, linear, kind, mode, WalkReason.Miss)
            : Failure(linear, kind, mode, _walker.Fault, WalkReason.Miss, Steps(linear));
    }

    /// <inheritdoc/>
    public bool TryFindInTables(LinearAddress address, AccessKind kind, AccessMode mode, out HostPhysicalAddress host, out TranslationFault fault)
    {
        ulong linear = address.Value;
        if (!_addresses.TryPrepare(ref linear, kind, mode))
        {
            host = default;
            fault = new TranslationFault { Failure = TranslationFailure.NonCanonical, Linear = address };
            return false;
        }

        bool found = _walker.TryWalkTables<TableWalk>(linear, kind, mode, out WalkResult result);
        host = new HostPhysicalAddress(found ? result.Host : 0);
        fault = found ? default : _walker.Fault;
        return found;
    }

    private MmuStatistics Read(ulong dataOutstanding, ulong fetchOutstanding)
    {
        var structures = new List<TlbStatistics>();
        AddArrays(structures, _configuration.L1Instruction, _l1Instruction, _fetch.Admitted, fetchOutstanding);
        AddArrays(structures, _configuration.L1Data, _l1Data, _data.Admitted, dataOutstanding);
        AddArrays(structures, _configuration.L2, _l2, null, 0);
        TlbStatistics second = StatisticsReader.Level("l2", _l2, null, 0);
        if (_l2Instruction is not null)
        {
            AddArrays(structures, _configuration.L2Instruction!, _l2Instruction, null, 0);
            second = second.Plus(StatisticsReader.Level("l2", _l2Instruction, null, 0));
        }

        return new MmuStatistics
        {
            L1Instruction = StatisticsReader.Level("l1i", _l1Instruction, _fetch.Admitted, fetchOutstanding),
            L1Data = StatisticsReader.Level("l1d", _l1Data, _data.Admitted, dataOutstanding),
            L2 = second,
            Structures = structures,
            Walks = new WalkStatistics
            {
                Miss = _walks.Miss,
                Dirty = _walks.Dirty,
                Rights = _walks.Rights,
                Prefetch = _walks.Prefetch,
                PrefetchReferences = _walks.PrefetchReferences,
                GuestReferences = _walks.GuestReferences,
                EptReferences = _walks.EptReferences,
                Faulted = _walks.Faulted,
                FaultedReferences = _walks.FaultedReferences,
                FlagUpdates = _walks.FlagUpdates,
                StructureCaches = StatisticsReader.StructureCaches(_caches),
            },
            Faults = new FaultStatistics(_walks.PageFaults, _walks.EptViolations, _walks.EptMisconfigurations)
            {
                NestedPageFaults = _walks.NestedPageFaults,
            },
        };
    }

    private static void AddArrays(List<TlbStatistics> structures, TlbLevelConfiguration configuration, TlbLevel level, TlbLane* served, ulong outstanding)
    {
        for (int i = 0; i < level.ArrayCount; i++)
            structures.Add(StatisticsReader.Array(configuration.Arrays[i].Name, level.Array(i), served, outstanding));
    }

    private ulong SecondLevelHits => _l2.Hits + (_l2Instruction?.Hits ?? 0);

    private MemoryTyping Typing => new(_context, _configuration.Nested.Format == NestedFormat.Npt);

    private WalkReference[] Steps(ulong linear)
    {
        WalkReference[] steps = _walker.Recorder.Steps();
        Typing.Annotate(steps, new LinearAddress(linear));
        return steps;
    }

    // The size of the first-level entry that a translation fills, or its own where none is.
    private static PageSize Filled(TlbLevel first, PageSize size) => first.Held(size, pages: 1) is var held and >= 0 ? (PageSize)held : size;

    private void TellHit(TranslationHit where, ulong data, in Translation translation, ulong linear, AccessKind kind, AccessMode mode) =>
        _policy.Translated(Answered(where, data, translation.Address, translation.EntryPageSize, linear, kind, mode));

    private WalkTrace Answered(TranslationHit where, ulong data, HostPhysicalAddress host, PageSize entrySize, ulong linear, AccessKind kind, AccessMode mode) =>
        new()
        {
            Linear = new LinearAddress(linear),
            Kind = kind,
            Mode = mode,
            Hit = where,
            Reason = null,
            References = [],
            GuestPageSize = TlbEntry.GuestSize(data),
            HostPageSize = _context.IsNested ? TlbEntry.EptSize(data) : null,
            EntryPageSize = entrySize,
            GuestPhysical = _context.IsNested ? null : new GuestPhysicalAddress(host.Value),
            HostPhysical = host,
            MemoryType = Typing.OfAccess(data, host),
            Rights = (TranslationRights)(data & TlbEntry.RightsMask),
        };

    private void TellWalk(in WalkResult result, in Translation translation, ulong linear, AccessKind kind, AccessMode mode, WalkReason reason) =>
        _policy.Translated(Success(result, translation.EntryPageSize, linear, kind, mode, reason));

    private void TellFailure(ulong linear, AccessKind kind, AccessMode mode, WalkReason? reason) =>
        _policy.Translated(Failure(linear, kind, mode, _fault, reason, reason is null ? [] : Steps(linear)));

    private WalkTrace Success(in WalkResult result, PageSize entrySize, ulong linear, AccessKind kind, AccessMode mode, WalkReason reason) => new()
    {
        Linear = new LinearAddress(linear),
        Kind = kind,
        Mode = mode,
        Hit = TranslationHit.None,
        Reason = reason,
        References = Steps(linear),
        GuestPageSize = TlbEntry.GuestSize(result.Flags),
        HostPageSize = _context.IsNested ? TlbEntry.EptSize(result.Flags) : null,
        EntryPageSize = entrySize,
        GuestPhysical = new GuestPhysicalAddress(result.GuestPhysical),
        HostPhysical = new HostPhysicalAddress(result.Host),
        MemoryType = Typing.OfAccess(result.Flags, new HostPhysicalAddress(result.Host)),
        Rights = (TranslationRights)(result.Flags & TlbEntry.RightsMask),
    };

    private static WalkTrace Failure(ulong linear, AccessKind kind, AccessMode mode, TranslationFault fault, WalkReason? reason, WalkReference[] steps) => new()
    {
        Linear = new LinearAddress(linear),
        Kind = kind,
        Mode = mode,
        Hit = TranslationHit.None,
        Reason = reason,
        References = steps,
        Fault = fault,
    };
}
