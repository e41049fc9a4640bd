using System.Runtime.CompilerServices;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>An MMU that writes down what it is asked, so that other machines can be asked the same.</summary>
/// <remarks>
/// It decides nothing: every call goes on to the MMU of the base machine. While it records, the shortcut of the hot path answers only for
/// the page of the last data access and for that of the last fetch. So every change of page comes here, and what does not come is a repeated
/// touch of a page, which changes nothing in any first level that holds it. Where that is not enough (<see cref="RecordedRuns.Strict"/>),
/// the base machine must look up every access, and runs end at each lookup of another kind.
/// </remarks>
public sealed unsafe class RecordingMmu : IMmu, IRemovalObserver
{
    private readonly Mmu<Unobserved> _inner;
    private readonly TranslationStreamWriter _writer;
    private readonly TableRecorder _tables;
    private readonly RecordedRuns _runs;
    private Run _data;
    private Run _fetch;

    /// <summary>Starts to record.</summary>
    /// <param name="inner">The MMU of the base machine.</param>
    /// <param name="memory">The host's memory.</param>
    /// <param name="writer">Takes the stream.</param>
    /// <param name="runs">Which lookups may be taken together.</param>
    public RecordingMmu(Mmu<Unobserved> inner, HostMemory memory, TranslationStreamWriter writer, RecordedRuns runs)
    {
        _inner = inner;
        _writer = writer;
        _runs = runs;
        _tables = new TableRecorder(memory, writer, inner.RevokeWrites, inner.TryLocate);
        inner.ObserveRemovals(this);
        writer.Context(inner.Context);
    }

    /// <summary>Numbers the code that accesses, for <see cref="LookupEvent.Site"/>; null for no numbers.</summary>
    public Func<ushort>? Site { get; set; }

    /// <summary>Lookups that were answered by a translation which the tables no longer had. What such a guest does depends on what its TLBs hold.</summary>
    public ulong StaleUses { get; private set; }

    /// <inheritdoc/>
    public TranslationFilter Filter => _inner.Filter;

    /// <inheritdoc/>
    public PagingContext Context => _inner.Context;

    /// <inheritdoc/>
    public TranslationFault Fault => _inner.Fault;

    /// <inheritdoc/>
    public AccessMode FaultMode => _inner.FaultMode;

    /// <inheritdoc/>
    public MmuStatistics Statistics => _inner.Statistics;

    /// <inheritdoc/>
    public TranslationWork Work => _inner.Work;

    /// <inheritdoc/>
    public bool AttributionIsDue => _inner.AttributionIsDue;

    /// <inheritdoc/>
    public ulong InstructionSideChanges => _inner.InstructionSideChanges;

    /// <inheritdoc/>
    public bool FetchesAreSilent => _inner.FetchesAreSilent;

    /// <summary>Writes down a moment of the run.</summary>
    /// <param name="mark">What was counted until then.</param>
    public void Mark(StreamMark mark) => _writer.Mark(mark);

    /// <inheritdoc/>
    public MmuStatistics Snapshot(ulong dataLookups, ulong fetchLookups) => _inner.Snapshot(dataLookups, fetchLookups);

    /// <inheritdoc/>
    public void Attribute(ulong dataLookups) => _inner.Attribute(dataLookups);

    /// <inheritdoc/>
    public WalkTrace Inspect(LinearAddress address, AccessKind kind, AccessMode mode) => _inner.Inspect(address, kind, mode);

    /// <inheritdoc/>
    public WalkTrace ReadTables(LinearAddress address, AccessKind kind, AccessMode mode) => _inner.ReadTables(address, kind, mode);

    /// <inheritdoc/>
    public bool TryFindInTables(LinearAddress address, AccessKind kind, AccessMode mode, out HostPhysicalAddress host, out TranslationFault fault) =>
        _inner.TryFindInTables(address, kind, mode, out host, out fault);

    /// <inheritdoc/>
    public void SetContext(in PagingContext context)
    {
        if (context.Nested is not null)
            throw new NotSupportedException("a guest with further controls of EPT cannot be recorded");
        EndRuns();
        // What the MMU drops on the way is told before the context that it is dropped for, as for whoever replays it.
        _inner.SetContext(context);
        _tables.Follow(context, _inner.TableAddressMask);
        _writer.Context(context);
    }

    /// <inheritdoc/>
    public PdpteLoad LoadPdptes(ulong cr3, out PdpteRegisters registers) => _inner.LoadPdptes(cr3, out registers);

    /// <inheritdoc/>
    public IReadOnlyList<WalkReference> InspectPdptes(ulong cr3) => _inner.InspectPdptes(cr3);

    /// <inheritdoc/>
    public bool IsCanonical(LinearAddress address, AccessKind kind, AccessMode mode) => _inner.IsCanonical(address, kind, mode);

    /// <inheritdoc/>
    public bool TryTranslate(LinearAddress address, AccessKind kind, AccessMode mode, out Translation translation)
    {
        ulong linear = address.Value;
        if (!_inner.TryPrepare(ref linear, kind, mode))
            return _inner.TryTranslate(address, kind, mode, out translation);
        bool isFetch = kind == AccessKind.Fetch;
        ref Run run = ref isFetch ? ref _fetch : ref _data;
        bool goesOn = run.Serves(linear, kind, mode);
        if (!goesOn && !run.IsOf(linear, mode))
            End(ref run, isFetch);
        if (_runs == RecordedRuns.Strict)
            (isFetch ? ref _data : ref _fetch).IsOpen = false;
        bool missed = Site is not null && !_inner.IsInFirstLevel(linear, kind);
        bool succeeded = _inner.TryTranslate(address, kind, mode, out translation);
        if (succeeded && _tables.Uninvalidated != 0 && !_inner.IsInTables(linear, kind, mode, translation.Address))
            StaleUses++;
        if (goesOn && succeeded && run.Generation == _writer.Generation && _writer.Repeat(run.Position, 1))
            return true;
        Append(ref run, linear, kind, mode, succeeded, missed);
        return succeeded;
    }

    /// <inheritdoc/>
    public bool TryRepeat(LinearAddress address, AccessKind kind, AccessMode mode, out Translation translation)
    {
        translation = default;
        return _data.Serves(address.Value, kind, mode) && _inner.TryRepeat(address, kind, mode, out translation);
    }

    /// <inheritdoc/>
    public void CountRepeated(LinearAddress address, ulong times)
    {
        _inner.CountRepeated(address, times);
        // Where there is no room they stay among those that only marks tell of.
        if (_data.IsOpen && _data.Generation == _writer.Generation)
            _writer.Repeat(_data.Position, times);
    }

    /// <inheritdoc/>
    public void EnterCodePage(LinearAddress page, ulong fetchLookups) => _inner.EnterCodePage(page, fetchLookups);

    /// <inheritdoc/>
    public void OfferFetch(LinearAddress page, AccessMode mode, nint payload) => _inner.OfferFetch(page, mode, payload);

    /// <inheritdoc/>
    public void RevokeWrites(HostFrameNumber frame) => _inner.RevokeWrites(frame);

    /// <inheritdoc/>
    public void InvalidatePage(LinearAddress address)
    {
        Begin(StreamInvalidation.Page, address.Value, 0);
        _inner.InvalidatePage(address);
    }

    /// <inheritdoc/>
    public void InvalidatePage(LinearAddress address, ushort pcid)
    {
        Begin(StreamInvalidation.PageOfPcid, address.Value, pcid);
        _inner.InvalidatePage(address, pcid);
    }

    /// <inheritdoc/>
    public void InvalidatePcid(ushort pcid)
    {
        Begin(StreamInvalidation.Pcid, pcid, 0);
        _inner.InvalidatePcid(pcid);
    }

    /// <inheritdoc/>
    public void InvalidateAllNonGlobal()
    {
        Begin(StreamInvalidation.AllNonGlobal, 0, 0);
        _inner.InvalidateAllNonGlobal();
    }

    /// <inheritdoc/>
    public void InvalidateAll()
    {
        Begin(StreamInvalidation.All, 0, 0);
        _inner.InvalidateAll();
    }

    /// <inheritdoc/>
    public void InvalidateAfterPageFault(LinearAddress address)
    {
        Begin(StreamInvalidation.AfterPageFault, address.Value, 0);
        _inner.InvalidateAfterPageFault(address);
    }

    /// <inheritdoc/>
    public void InvalidateEptContext(ulong eptp)
    {
        Begin(StreamInvalidation.EptContext, eptp, 0);
        _inner.InvalidateEptContext(eptp);
    }

    /// <inheritdoc/>
    public void InvalidateEptAll()
    {
        Begin(StreamInvalidation.EptAll, 0, 0);
        _inner.InvalidateEptAll();
    }

    /// <inheritdoc/>
    public void InvalidateVpid(ushort vpid)
    {
        Begin(StreamInvalidation.Vpid, vpid, 0);
        _inner.InvalidateVpid(vpid);
    }

    /// <inheritdoc/>
    public bool AcceptsEptPointer(ulong eptp) => _inner.AcceptsEptPointer(eptp);

    /// <inheritdoc/>
    public VmInstructionError Invept(ulong type, ulong eptp) => throw Unrecordable("INVEPT");

    /// <inheritdoc/>
    public VmInstructionError Invvpid(ulong type, UInt128 descriptor) => throw Unrecordable("INVVPID");

    /// <inheritdoc/>
    public bool TryApplyTlbControl(byte control) => throw Unrecordable("TLB_CONTROL");

    /// <inheritdoc/>
    public void InvalidatePageOfAsid(LinearAddress address, ushort asid) => throw Unrecordable("INVLPGA");

    /// <inheritdoc/>
    void IRemovalObserver.PageRemoved(ulong linear, uint space)
    {
        EndRuns();
        _writer.PageRemoved(space, linear);
    }

    /// <inheritdoc/>
    void IRemovalObserver.AddressRemoved(ulong linear, uint space)
    {
        EndRuns();
        _writer.AddressRemoved(space, linear);
    }

    /// <inheritdoc/>
    void IRemovalObserver.SpaceLeft(AccessKind kind, uint space) => _writer.SpaceLeft(kind, space);

    /// <inheritdoc/>
    void IRemovalObserver.SpaceRemoved(uint space)
    {
        EndRuns();
        _writer.SpaceRemoved(space);
    }

    private static NotSupportedException Unrecordable(string what) => new($"a hypervisor's {what} cannot be recorded");

    private void Begin(StreamInvalidation what, ulong first, ulong second)
    {
        EndRuns();
        _tables.Invalidated(what is StreamInvalidation.Page or StreamInvalidation.PageOfPcid or StreamInvalidation.AfterPageFault);
        _writer.Invalidation(what, first, second);
    }

    // Writes down a lookup that begins a run, or a write behind reads of the same page.
    private void Append(ref Run run, ulong linear, AccessKind kind, AccessMode mode, bool succeeded, bool missed)
    {
        ulong data = 0;
        uint space = succeeded ? _inner.Describe(linear, kind, mode, out data) : _inner.CurrentSpace;
        LookupFlags flags = succeeded
            ? (space == _inner.CurrentSpace ? LookupFlags.None : LookupFlags.Global)
            : LookupFlags.Failed;
        if (missed)
            flags |= LookupFlags.Missed;
        ulong first = LookupEvent.Pack(linear, kind, mode, TlbEntry.GuestSize(data), TlbEntry.EptSize(data), flags);
        run.Position = _writer.Lookup(first, LookupEvent.Pack(space, Site?.Invoke() ?? 0));
        run.Generation = _writer.Generation;
        run.Page = linear >> 12;
        run.Mode = mode;
        run.Kind = kind;
        run.IsStrict = _runs == RecordedRuns.Strict;
        run.IsOpen = succeeded;
        run.HasSlots = true;
    }

    private void EndRuns()
    {
        End(ref _data, isFetch: false);
        End(ref _fetch, isFetch: true);
    }

    // The shortcut no longer answers for the page of a run. Emptying a slot is always allowed (FilterKeeper).
    private void End(ref Run run, bool isFetch)
    {
        run.IsOpen = false;
        if (!run.HasSlots)
            return;
        run.HasSlots = false;
        TranslationFilter filter = _inner.Filter;
        ulong address = run.Page << 12;
        if (isFetch)
        {
            Empty(filter.FetchTable(run.Mode), address);
        }
        else if ((int)run.Mode < TranslationFilter.Banks)
        {
            Empty(filter.DataTable(run.Mode), address);
            Empty(filter.DataTable(run.Mode) + filter.Slots, address);
        }
    }

    private void Empty(FilterSlot* table, ulong address)
    {
        FilterSlot* slot = TranslationFilter.Slot(table, address, _inner.Filter.OffsetMask);
        if (slot->Tag == FilterSlot.TagOf(address))
            slot->Tag = TranslationFilter.Empty;
    }

    // Consecutive lookups of one page by data accesses, or by fetches.
    private struct Run
    {
        public ulong Page;
        public int Position;
        public int Generation;
        public AccessMode Mode;
        public AccessKind Kind;
        public bool IsStrict;
        public bool IsOpen;
        public bool HasSlots;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly bool IsOf(ulong linear, AccessMode mode) => Page == linear >> 12 && Mode == mode;

        // A read behind a write needs nothing that the write did not need; a write may need the dirty flag.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly bool Serves(ulong linear, AccessKind kind, AccessMode mode) =>
            IsOpen && IsOf(linear, mode) && (kind == Kind || (kind == AccessKind.Read && !IsStrict));
    }
}
