using System.Numerics;
using System.Runtime.CompilerServices;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The memory-management unit of one virtual CPU: TLBs, caches of partial walks, the walker, and the filter for the hot path.</summary>
/// <typeparam name="TPolicy">What is done with the facts it states.</typeparam>
/// <remarks>
/// What the structures hold is architecture: a guest that forgets an invalidation is served the old translation. An access is looked
/// up in the first level of its kind, then in the second, then walked; a walk fills both levels, a hit in the second fills the
/// first. docs/model/translation.md says what is modelled, approximated and absent.
/// </remarks>
public sealed unsafe partial class Mmu<TPolicy> : IMmu, IDisposable
    where TPolicy : struct, IExecutionPolicy
{
    private readonly HostMemory _memory;
    private readonly byte* _ram;
    private readonly MmuConfiguration _configuration;
    private readonly TPolicy _policy;
    private readonly Arena _arena = new();
    private readonly FilterKeeper _filter;
    private readonly AccessRights _rights;
    private readonly TlbLevel _l1Instruction;
    private readonly TlbLevel _l1Data;

    // The parts of _l1Data that reads and writes see: itself where they see the same.
    private readonly TlbLevel _l1Loads;
    private readonly TlbLevel _l1Stores;
    private readonly TlbLevel _l2;

    // Where fetches have a second level of their own; else null.
    private readonly TlbLevel? _l2Instruction;
    private readonly PcidSlots[] _pcidSlots;
    private readonly StructureCaches _caches;
    private readonly TranslationTags _tags;
    private readonly Walker _walker;
    private readonly bool _repeats;

    // Whether any level has coalesced entries.
    private readonly bool _coalesces;

    // What the hot part of a lookup reads, one step away.
    private readonly TlbLane* _instructionDoor;
    private readonly TlbLane* _dataDoor;
    private readonly byte* _verdicts;
    private readonly sbyte* _slotTables;

    // The same where reads and writes see different arrays, and all entries of _slotTables are -1.
    private readonly sbyte* _partTables;

    private PagingContext _context;
    private LinearAddressRules _addresses;
    private TranslationFault _fault;
    private WalkCounters _walks;
    private LookupAttribution _data;
    private LookupAttribution _fetch;

    // The tags in force.
    private uint _space;
    private uint _globalSpace;
    private uint _structureSpace;

    // The tags of the 4 KiB page 0 in _space and _globalSpace: with a page number they make its tag.
    private ulong _smallTag;
    private ulong _smallGlobalTag;
    private int _spaceIndex;
    private int _globalIndex;
    private int _guestPhysicalIndex;

    /// <summary>Builds the translation hardware that a machine describes, with an all-zero context (paging off).</summary>
    /// <param name="memory">The host's memory, in which all tables lie.</param>
    /// <param name="configuration">The hardware.</param>
    /// <param name="policy">What is done with the facts.</param>
    /// <exception cref="ArgumentException">The geometry is impossible; the message names the structure and the field.</exception>
    public Mmu(HostMemory memory, MmuConfiguration configuration, TPolicy policy)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(configuration.PhysicalAddressBits, 36);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(configuration.PhysicalAddressBits, 52);
        _memory = memory;
        _ram = memory.Base;
        _configuration = configuration;
        _policy = policy;
        _filter = new FilterKeeper(_arena, FilterSlots(configuration));
        _rights = new AccessRights(_arena);
        FilterService service = TPolicy.Observes || TPolicy.KeepsTime || configuration.LookUpEveryAccess ? FilterService.NotServed : FilterService.Served;
        TagPool tlbPool = new(_arena);
        TagPool structurePool = new(_arena);
        int instructionArrays = configuration.L1Instruction.Arrays.Count;
        int dataArrays = configuration.L1Data.Arrays.Count;
        ulong seed = configuration.Seed * 0x9E37_79B9_7F4A_7C15;
        FilterService fetchService = FilterCoverage.AnswersFetches(configuration.L1Instruction, configuration.L2Instruction ?? configuration.L2) ? service : FilterService.NotServed;
        FilterService dataService = FilterCoverage.AnswersData(configuration.L1Data) ? service : FilterService.NotServed;
        _l1Instruction = new TlbLevel(_arena, _filter, tlbPool, configuration.L1Instruction, 0, fetchService, seed);
        _l1Data = new TlbLevel(_arena, _filter, tlbPool, configuration.L1Data, instructionArrays, dataService, seed + 100);
        _l2 = new TlbLevel(_arena, _filter, tlbPool, configuration.L2, instructionArrays + dataArrays, FilterService.NotServed, seed + 200);
        _l1Data.PutAbove(_l2, configuration.L2.Inclusion);
        if (configuration.L2Instruction is not { } ofFetches)
        {
            _l1Instruction.PutAbove(_l2, configuration.L2.Inclusion);
        }
        else
        {
            _l2Instruction = new TlbLevel(_arena, _filter, tlbPool, ofFetches, instructionArrays + dataArrays + configuration.L2.Arrays.Count, FilterService.NotServed, seed + 400);
            _l1Instruction.PutAbove(_l2Instruction, ofFetches.Inclusion);
        }

        bool differ = configuration.L1Data.Arrays.Any(array => array.Serves is not null);
        _l1Loads = differ ? _l1Data.Part(i => configuration.L1Data.Arrays[i].Serves != AccessesServed.Stores) : _l1Data;
        _l1Stores = differ ? _l1Data.Part(i => configuration.L1Data.Arrays[i].Serves != AccessesServed.Loads) : _l1Data;
        _pcidSlots = [.. Slots(configuration)];
        if (configuration.Prefetch is { } prefetch)
        {
            _dataPrefetcher = new Prefetcher(prefetch);
            _fetchPrefetcher = new Prefetcher(prefetch);
        }

        _caches = new StructureCaches(structurePool, configuration.StructureCaches, seed + 300);
        _tags = new TranslationTags(tlbPool, _l2Instruction is null ? [_l1Instruction, _l1Data, _l2] : [_l1Instruction, _l1Data, _l2, _l2Instruction], structurePool, _caches);
        _walker = new Walker(memory, _arena, _caches, _rights, configuration);
        _instructionDoor = _l1Instruction.Door;
        // Reads and writes that see different arrays take the long way.
        _dataDoor = differ ? _arena.Allocate<TlbLane>(1) : _l1Data.Door;
        _verdicts = _rights.Verdicts;
        _slotTables = SlotTables(_arena, differ ? FilterService.NotServed : dataService);
        _partTables = SlotTables(_arena, differ ? dataService : FilterService.NotServed);
        _repeats = dataService == FilterService.Served && !differ;
        _coalesces = _l1Instruction.CoalescedPages * _l1Data.CoalescedPages * _l2.CoalescedPages * (_l2Instruction?.CoalescedPages ?? 1) > 1;
        FetchesAreSilent = fetchService == FilterService.Served;
        SetContext(new PagingContext { Cr0 = Cr0.None, Cr3 = 0, Cr4 = Cr4.None, Efer = Efer.None, Eptp = 0, Vpid = 0 });
    }

    /// <inheritdoc/>
    public TranslationFilter Filter => _filter.Filter;

    /// <inheritdoc/>
    public PagingContext Context => _context;

    /// <inheritdoc/>
    public TranslationFault Fault => _fault;

    /// <inheritdoc/>
    public AccessMode FaultMode => _walker.Mode;

    /// <inheritdoc/>
    public ulong InstructionSideChanges => _l1Instruction.Changes;

    /// <inheritdoc/>
    public bool FetchesAreSilent { get; }

    /// <inheritdoc/>
    public void SetContext(in PagingContext context)
    {
        PutInForce(context);
        int left = _spaceIndex;
        // The space, its global one, and that of its guest-physical mappings.
        if (!_tags.HasRoom(3))
        {
            _tags.ForgetAll();
            left = -1;
        }

        ulong root = EptPointer.RootTag(context.Eptp);
        GuestPagingMode mode = context.Mode;
        _spaceIndex = _tags.Enter(context.Vpid, root, context.IsPaging ? context.Pcid : AddressSpaces.NoPaging, mode);
        _globalIndex = context.IsPaging && (context.Cr4 & Cr4.PageGlobalEnable) != 0
            ? _tags.Enter(context.Vpid, root, AddressSpaces.Global, mode)
            : _spaceIndex;
        _guestPhysicalIndex = context.IsNested ? _tags.Enter(GuestPhysicalVpid, root, AddressSpaces.GuestPhysical, GuestPagingMode.None) : _spaceIndex;
        LoadTags();
        if (_pcidSlots.Length != 0 && left != _spaceIndex)
            SwitchSlots(left);
    }

    /// <inheritdoc/>
    public void EnterCodePage(LinearAddress page, ulong fetchLookups)
    {
        if (!TPolicy.Counts || !FetchesAreSilent || !_l1Instruction.TryFind(page.Value, _space, _globalSpace, out TlbHit hit) || hit.Lane == _fetch.Admitted)
            return;

        // Every fetch that nobody looked up until now was of the size served so far: slots are of that size, and so was the page.
        _fetch.Serve(hit.Lane, fetchLookups);
        _filter.ClearFetches();
    }

    /// <inheritdoc/>
    public void OfferFetch(LinearAddress page, AccessMode mode, nint payload)
    {
        if (!FetchesAreSilent || !_l1Instruction.TryFind(page.Value, _space, _globalSpace, out TlbHit hit))
            return;
        if (_rights.Judge(AccessRights.Class(AccessKind.Fetch, mode), hit.Data) != AccessRights.Allowed)
            return;
        if (hit.Lane->Recent != null && hit.Lane->Recent[hit.Set] != hit.Entry)
            return;
        if (TPolicy.Counts && hit.Lane != _fetch.Admitted)
            return;
        _filter.Install(hit.Lane, hit.Entry, FilterKeeper.FetchTable(mode), page.Value & ~0xFFFUL, (ulong)payload);
    }

    /// <inheritdoc/>
    public void RevokeWrites(HostFrameNumber frame) => _filter.RevokeWrites((ulong)_ram + frame.Address.Value);

    /// <inheritdoc/>
    public void Dispose()
    {
        _filter.Dispose();
        _caches.Dispose();
        _arena.Dispose();
    }

    // Far more slots than first-level entries: then two resident pages rarely want the same one. More would only spread what is installed over
    // more lines of the real machine's caches. A large page has slots for each of its 4 KiB pages.
    private static int FilterSlots(MmuConfiguration configuration)
    {
        const int SlotsPerEntry = 16;
        long entries = 0;
        foreach (TlbArrayConfiguration array in configuration.L1Data.Arrays)
            entries += array.Sets == 0 ? TranslationFilter.MostSlots : (long)array.Sets * array.Ways;
        long slots = Math.Clamp(entries * SlotsPerEntry, TranslationFilter.FewestSlots, TranslationFilter.MostSlots);
        return (int)BitOperations.RoundUpToPowerOf2((ulong)slots);
    }

    private List<PcidSlots> Slots(MmuConfiguration configuration)
    {
        List<PcidSlots> slots = [];
        Add(_l1Instruction, configuration.L1Instruction.PcidSlots);
        Add(_l1Data, configuration.L1Data.PcidSlots);
        Add(_l2, configuration.L2.PcidSlots);
        Add(_l2Instruction, configuration.L2Instruction?.PcidSlots);
        return slots;

        void Add(TlbLevel? level, int? count)
        {
            if (count is { } kept)
                slots.Add(new PcidSlots(level!, kept));
        }
    }

    // Another address space runs than the one left, which is -1 where none is known any more.
    private void SwitchSlots(int left)
    {
        foreach (PcidSlots slots in _pcidSlots)
        {
            if (left < 0)
            {
                slots.Forget();
                continue;
            }

            uint gone = slots.Switch(left, _spaceIndex, _tags.Spaces);
            if (gone != 0)
                TellSpaceLeft(slots.Level, gone);
        }
    }

    private void PutInForce(in PagingContext context)
    {
        _context = context;
        _addresses = new LinearAddressRules(context);
        _filter.Clear();
        _rights.Prepare(context);
    }

    // The first level that an access sees.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TlbLevel FirstLevel(AccessKind kind) => kind == AccessKind.Fetch ? _l1Instruction : kind == AccessKind.Write ? _l1Stores : _l1Loads;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool FailNonCanonical(ulong linear, AccessKind kind, AccessMode mode, out Translation translation)
    {
        translation = default;
        _fault = new TranslationFault { Failure = TranslationFailure.NonCanonical, Linear = new LinearAddress(linear) };
        if (TPolicy.Observes)
            TellFailure(linear, kind, mode, null);
        return false;
    }

    // EPT's guest-physical mappings belong to a root, AMD's to an ASID: nothing else could invalidate them. What is cached without paging-write
    // control knows nothing of paging writes.
    private ushort GuestPhysicalVpid => _configuration.Nested.Format == NestedFormat.Npt ? _context.Vpid : _context.Nested is { PagingWrite: true } ? (ushort)1 : (ushort)0;

    private void LoadTags()
    {
        _space = _tags.Spaces[_spaceIndex].TlbTag;
        _globalSpace = _tags.Spaces[_globalIndex].TlbTag;
        _structureSpace = _tags.Spaces[_spaceIndex].StructureTag;
        _smallTag = Tag.Make(_space, PageSize.Size4K, 0);
        _smallGlobalTag = Tag.Make(_globalSpace, PageSize.Size4K, 0);
        _walker.SetContext(_context, _structureSpace, _tags.Spaces[_guestPhysicalIndex].StructureTag);
    }
}
