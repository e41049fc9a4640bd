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
    private readonly TlbLevel _l2;
    private readonly StructureCaches _caches;
    private readonly TranslationTags _tags;
    private readonly Walker _walker;

    private PagingContext _context;
    private TranslationFault _fault;
    private WalkCounters _walks;
    private LookupAttribution _data;
    private LookupAttribution _fetch;

    // The tags in force.
    private uint _space;
    private uint _globalSpace;
    private uint _structureSpace;
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
        _filter = new FilterKeeper(_arena);
        _rights = new AccessRights(_arena);
        FilterService service = TPolicy.Observes || configuration.LookUpEveryAccess ? FilterService.NotServed : FilterService.Served;
        TagPool tlbPool = new(_arena);
        TagPool structurePool = new(_arena);
        int instructionArrays = configuration.L1Instruction.Arrays.Count;
        int dataArrays = configuration.L1Data.Arrays.Count;
        ulong seed = configuration.Seed * 0x9E37_79B9_7F4A_7C15;
        _l1Instruction = new TlbLevel(_arena, _filter, tlbPool, configuration.L1Instruction, 0, service, seed);
        _l1Data = new TlbLevel(_arena, _filter, tlbPool, configuration.L1Data, instructionArrays, service, seed + 100);
        _l2 = new TlbLevel(_arena, _filter, tlbPool, configuration.L2, instructionArrays + dataArrays, FilterService.NotServed, seed + 200);
        _caches = new StructureCaches(_arena, structurePool, configuration.StructureCaches, seed + 300);
        _tags = new TranslationTags(tlbPool, [_l1Instruction, _l1Data, _l2], structurePool, _caches);
        _walker = new Walker(memory, _arena, _caches, _rights, configuration);
        FetchesAreSilent = service == FilterService.Served && _l1Instruction.Exists;
        SetContext(new PagingContext { Cr0 = Cr0.None, Cr3 = 0, Cr4 = Cr4.None, Efer = Efer.None, Eptp = 0, Vpid = 0 });
    }

    /// <inheritdoc/>
    public TranslationFilter Filter => _filter.Filter;

    /// <inheritdoc/>
    public PagingContext Context => _context;

    /// <inheritdoc/>
    public TranslationFault Fault => _fault;

    /// <inheritdoc/>
    public ulong InstructionSideChanges => _l1Instruction.Changes;

    /// <inheritdoc/>
    public bool FetchesAreSilent { get; }

    /// <inheritdoc/>
    public void SetContext(in PagingContext context)
    {
        _context = context;
        _filter.Clear();
        _rights.Prepare(context);
        // The space, its global one, and that of its guest-physical mappings.
        if (!_tags.HasRoom(3))
            _tags.ForgetAll();
        ulong root = context.Eptp & EptPointer.AddressMask;
        _spaceIndex = _tags.Enter(context.Vpid, root, context.IsPaging ? context.Pcid : AddressSpaces.NoPaging);
        _globalIndex = context.IsPaging && (context.Cr4 & Cr4.PageGlobalEnable) != 0
            ? _tags.Enter(context.Vpid, root, AddressSpaces.Global)
            : _spaceIndex;
        _guestPhysicalIndex = context.IsNested ? _tags.Enter(0, root, AddressSpaces.GuestPhysical) : _spaceIndex;
        LoadTags();
    }

    /// <inheritdoc/>
    public bool TryTranslate(LinearAddress address, AccessKind kind, AccessMode mode, out Translation translation)
    {
        ulong linear = address.Value;
        if (!IsCanonical(linear))
            return FailNonCanonical(linear, kind, mode, out translation);
        TlbLevel level;
        if (kind == AccessKind.Fetch)
        {
            level = _l1Instruction;
            _fetch.SlowLookups++;
        }
        else
        {
            level = _l1Data;
            _data.SlowLookups++;
        }

        if (level.TryFind(linear, _space, _globalSpace, out TlbHit hit))
        {
            ulong data = hit.Data;
            byte verdict = _rights.Judge(AccessRights.Class(kind, mode), data);
            if (verdict == AccessRights.Allowed)
            {
                hit.Lane->Hits++;
                level.Touch(hit);
                ulong host = TlbEntry.HostAddress(data, linear, hit.Lane->Size);
                Offer(hit, linear, host, kind, mode);
                if (TPolicy.Observes)
                    TellHit(TranslationHit.L1, hit, linear, kind, mode);
                HostPhysicalAddress answer = new(host);
                translation = new Translation(answer, hit.Lane->Size, _memory.IsRam(answer));
                return true;
            }

            // The tables have the last word on an entry that does not suffice (docs/decisions/0010).
            WalkReason reason = verdict == AccessRights.NotDirty ? WalkReason.Dirty : WalkReason.Rights;
            return TryWalk(linear, kind, mode, level, reason, TranslationHit.L1, hit, out translation);
        }

        if (!_l2.TryFind(linear, _space, _globalSpace, out hit))
            return TryWalk(linear, kind, mode, level, WalkReason.Miss, TranslationHit.None, hit, out translation);
        return TryTakeFromL2(linear, kind, mode, level, hit, out translation);
    }

    /// <inheritdoc/>
    public void OfferFetch(LinearAddress page, AccessMode mode, nint payload)
    {
        if (!FetchesAreSilent || !_l1Instruction.TryFind(page.Value, _space, _globalSpace, out TlbHit hit))
            return;
        if (_rights.Judge(AccessRights.Class(AccessKind.Fetch, mode), hit.Data) != AccessRights.Allowed)
            return;
        TlbArray* array = hit.Lane->Array;
        if (array->Recent != null && array->Recent[hit.Set] != hit.Entry)
            return;
        if (TPolicy.Counts && !_fetch.Admits(hit.Lane))
            return;
        _filter.Install(array, hit.Entry, hit.Lane->Size, FilterKeeper.FetchTable(mode), page.Value & ~0xFFFUL, (ulong)payload);
    }

    /// <inheritdoc/>
    public void RevokeWrites(HostFrameNumber frame) => _filter.RevokeWrites((ulong)_ram + frame.Address.Value);

    /// <inheritdoc/>
    public void Dispose()
    {
        _filter.Dispose();
        _arena.Dispose();
    }

    // 48-bit linear addresses; the width becomes data of the context with 5-level paging.
    private static bool IsCanonical(ulong linear) => (ulong)((long)(linear << 16) >> 16) == linear;

    // The second level answered, unless its rights do not suffice: the first is filled.
    private bool TryTakeFromL2(ulong linear, AccessKind kind, AccessMode mode, TlbLevel level, TlbHit found, out Translation translation)
    {
        ulong data = found.Data;
        byte verdict = _rights.Judge(AccessRights.Class(kind, mode), data);
        if (verdict != AccessRights.Allowed)
        {
            WalkReason reason = verdict == AccessRights.NotDirty ? WalkReason.Dirty : WalkReason.Rights;
            return TryWalk(linear, kind, mode, level, reason, TranslationHit.L2, found, out translation);
        }

        found.Lane->Hits++;
        _l2.Touch(found);
        PageSize size = found.Lane->Size;
        ulong host = TlbEntry.HostAddress(data, linear, size);
        uint space = Tag.Space(found.Tag);
        translation = Fill(level, linear, host, size, data & ~TlbEntry.FrameMask, space, kind, mode);
        if (TPolicy.Observes)
            TellHit(TranslationHit.L2, found, linear, kind, mode);
        return true;
    }

    // A first-level miss that found its translation: fills, offers, answers.
    private Translation Fill(TlbLevel level, ulong linear, ulong host, PageSize size, ulong flags, uint space, AccessKind kind, AccessMode mode)
    {
        HostPhysicalAddress answer = new(host);
        int held = level.Held(size);
        if (held < 0)
        {
            level.Unheld[(int)size]++;
            return new Translation(answer, size, _memory.IsRam(answer));
        }

        level.Insert(linear, space, (PageSize)held, host, flags, out TlbHit hit);
        hit.Lane->Misses++;
        Offer(hit, linear, host, kind, mode);
        return new Translation(answer, hit.Lane->Size, _memory.IsRam(answer));
    }

    // Lets the filter answer for a data page from now on. The entry is the most recent of its set: it has just been used.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Offer(in TlbHit hit, ulong linear, ulong host, AccessKind kind, AccessMode mode)
    {
        TlbArray* array = hit.Lane->Array;
        if (array->SlotTables == null || kind == AccessKind.Fetch || mode == AccessMode.Implicit || !_memory.IsRam(new HostPhysicalAddress(host)))
            return;
        if (TPolicy.Counts && !_data.Admits(hit.Lane))
            return;
        ulong page = linear & ~0xFFFUL;
        ulong payload = (ulong)_ram + (host & ~0xFFFUL) - page;
        int table = FilterKeeper.DataTable(mode);
        _filter.Install(array, hit.Entry, hit.Lane->Size, table, page, payload);
        // That a write succeeded says that it is permitted and that the dirty flag is cached as set.
        if (kind == AccessKind.Write && _memory.CodeLines(new HostFrameNumber(host >> 12)) == 0)
            _filter.Install(array, hit.Entry, hit.Lane->Size, table + 1, page, payload);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool FailNonCanonical(ulong linear, AccessKind kind, AccessMode mode, out Translation translation)
    {
        translation = default;
        _fault = new TranslationFault { Failure = TranslationFailure.NonCanonical, Linear = new LinearAddress(linear) };
        if (TPolicy.Observes)
            TellFailure(linear, kind, mode, null);
        return false;
    }

    private void LoadTags()
    {
        _space = _tags.Spaces[_spaceIndex].TlbTag;
        _globalSpace = _tags.Spaces[_globalIndex].TlbTag;
        _structureSpace = _tags.Spaces[_spaceIndex].StructureTag;
        _walker.SetContext(_context, _structureSpace, _tags.Spaces[_guestPhysicalIndex].StructureTag);
    }
}
