using System.Runtime.CompilerServices;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Walks the tables: one loop for every format, every way to reach the entries, and every purpose.</summary>
/// <remarks>
/// Accessed flags of upper entries are set as the walk descends, also when it faults lower down; those of the entry that maps the
/// page, and its dirty flag, only when nothing is left that can refuse. Structure caches are filled by walks that end in a
/// translation (docs/decisions/0011).
/// </remarks>
internal sealed unsafe partial class Walker
{
    private const int UnusedAddressBits = 64 - 57;

    private readonly HostMemory _memory;
    private readonly byte* _ram;
    private readonly Arena _arena;
    private readonly StructureCaches _caches;
    private readonly AccessRights _rights;
    private readonly TableLayout* _layouts;
    private readonly ulong _addressMask;

    private PagingContext _context;
    private TableLayout* _guestLayout;
    private ulong _root;
    private ulong _eptRoot;
    private ulong _eptAccessed;
    private ulong _eptDirty;
    private uint _space;
    private uint _eptSpace;
    private bool _isNested;
    private bool _isPaging;
    private bool _usesGlobal;

    /// <summary>Makes a walker without a context.</summary>
    public Walker(HostMemory memory, Arena arena, StructureCaches caches, AccessRights rights, MmuConfiguration configuration)
    {
        _memory = memory;
        _ram = memory.Base;
        _arena = arena;
        _caches = caches;
        _rights = rights;
        PageSize largest = configuration.HasPage1G ? PageSize.Size1G : PageSize.Size2M;
        int width = configuration.PhysicalAddressBits;
        _addressMask = PagingEntry.AddressMask & ((1UL << width) - 1);
        _layouts = arena.Allocate<TableLayout>(3);
        _layouts[0] = TableLayout.FourLevel(width, largest, Efer.None);
        _layouts[1] = TableLayout.FourLevel(width, largest, Efer.NoExecuteEnable);
        _layouts[2] = TableLayout.Ept(width, largest);
    }

    /// <summary>Takes down the steps of walks that record.</summary>
    public WalkRecorder Recorder { get; } = new();

    /// <summary>Why the last walk failed.</summary>
    public TranslationFault Fault { get; private set; }

    /// <summary>Guest entries that the last walk read.</summary>
    public uint GuestReferences { get; private set; }

    /// <summary>EPT entries that the last walk read.</summary>
    public uint EptReferences { get; private set; }

    /// <summary>Entries in which the last walk set accessed or dirty.</summary>
    public uint FlagUpdates { get; private set; }

    /// <summary>The part of an address that selects an entry of a level: the key of the level's structure cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Prefix(ulong address, int level) => (address << UnusedAddressBits) >> (UnusedAddressBits + 3 + (9 * level));

    /// <summary>Puts a context in force.</summary>
    /// <param name="context">The context.</param>
    /// <param name="space">The tag of its paging-structure-cache entries.</param>
    /// <param name="eptSpace">The tag of its guest-physical entries.</param>
    public void SetContext(in PagingContext context, uint space, uint eptSpace)
    {
        _context = context;
        _space = space;
        _eptSpace = eptSpace;
        _isNested = context.IsNested;
        _isPaging = context.IsPaging;
        _usesGlobal = (context.Cr4 & Cr4.PageGlobalEnable) != 0;
        _root = context.Cr3 & _addressMask;
        _eptRoot = context.Eptp & _addressMask;
        bool hasFlags = (context.Eptp & EptPointer.AccessedAndDirty) != 0;
        _eptAccessed = hasFlags ? EptEntry.Accessed : 0;
        _eptDirty = hasFlags ? EptEntry.Dirty : 0;
        _guestLayout = _layouts + ((context.Efer & Efer.NoExecuteEnable) != 0 ? 1 : 0);
    }

    /// <summary>Walks for one access.</summary>
    /// <param name="address">A canonical linear address.</param>
    /// <param name="kind">What the access does.</param>
    /// <param name="mode">On whose behalf.</param>
    /// <param name="result">What was found.</param>
    /// <returns>False where the walk ended in a fault or an exit: see <see cref="Fault"/>.</returns>
    public bool TryWalk<TWalk>(ulong address, AccessKind kind, AccessMode mode, out WalkResult result)
        where TWalk : struct, IWalkKind
    {
        GuestReferences = 0;
        EptReferences = 0;
        FlagUpdates = 0;
        _linear = address;
        if (TWalk.Records)
            Recorder.Begin();
        return _isNested
            ? TryWalkGuest<GuestTables, TWalk>(address, kind, mode, out result)
            : TryWalkGuest<HostTables, TWalk>(address, kind, mode, out result);
    }

    // The one loop. Generic arguments are structs, so each combination is compiled on its own and the tests below cost nothing.
    private DescentEnd Descend<TFormat, TAccess, TWalk>(ref Descent descent)
        where TFormat : struct, ITableFormat
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        TableLayout* layout = descent.Layout;
        int level = layout->Levels;
        ulong table = descent.Root;
        ulong guestTable = descent.Root;
        ulong rights = ulong.MaxValue;
        bool isLocated = !TAccess.IsNested;
        bool isWritable = true;
        int answered = int.MaxValue;
        if (descent.UsesCaches)
        {
            for (int cached = 2; cached <= layout->Levels; cached++)
            {
                StructureCache* cache = descent.Caches + cached;
                if (!cache->Exists)
                    continue;
                int found = cache->Find(descent.Space, PageSize.Size4K, Prefix(descent.Address, cached));
                if (!TWalk.LeavesTrace)
                {
                    // An inspection reads on and only notes who would have answered.
                    if (found >= 0 && answered == int.MaxValue)
                        answered = cached;
                    continue;
                }

                if (found < 0)
                {
                    cache->Misses++;
                    continue;
                }

                cache->Hits++;
                cache->Touch(found);
                ulong data = cache->Data(found);
                table = data & PagingEntry.AddressMask;
                guestTable = cache->GuestTable(found);
                rights = data | ~TFormat.RightsMask;
                isLocated = true;
                isWritable = (data & StructureCache.TableWritable) != 0;
                level = cached - 1;
                if (TWalk.Records)
                    Recorder.Cached(TFormat.Dimension, cached, new HostPhysicalAddress(cache->Source(found)), data, WalkRecorder.CacheOf(TFormat.Dimension, cached));
                break;
            }
        }

        descent.StartLevel = level;
        for (; ; level--)
        {
            ulong offset = (descent.Address >> (9 * level)) & 0xFF8;
            if (TAccess.IsNested)
            {
                if (!isLocated)
                {
                    if (!TryLocateTable<TWalk>(guestTable, offset, out table, out isWritable))
                        return DescentEnd.Refused;
                }

                isLocated = false;
            }

            // The entry above points to this table, whose place in host memory is known only now.
            if (level < descent.StartLevel)
                descent.Note(level + 1, table | (rights & TFormat.RightsMask) | (isWritable ? StructureCache.TableWritable : 0), guestTable, descent.EntryHost);
            ulong host = table + offset;
            ulong entry = ReadEntry(host);
            if (TFormat.Dimension == WalkDimension.Guest)
                GuestReferences++;
            else
                EptReferences++;
            descent.Level = level;
            descent.Entry = entry;
            descent.EntryHost = host;
            if (TAccess.IsNested)
                descent.EntryGuest = guestTable + offset;
            descent.IsTableWritable = isWritable;
            if (TWalk.Records)
            {
                WalkSource source = level >= answered ? WalkRecorder.CacheOf(TFormat.Dimension, answered) : WalkSource.Memory;
                if (TFormat.Dimension == WalkDimension.Ept && _nestedTlbAnswers)
                    source = WalkSource.NestedTlb;
                descent.Step = Recorder.Read(
                    TFormat.Dimension, level, host, TAccess.IsNested ? new GuestPhysicalAddress(guestTable + offset) : null, entry, source);
            }

            if ((entry & TFormat.PresentMask) == 0)
                return DescentEnd.NotPresent;
            bool mapsPage = level == 1 || ((entry & PagingEntry.PageSizeBit) != 0 && ((layout->LargeLevels >> level) & 1) != 0);
            if ((entry & layout->Reserved(level, mapsPage)) != 0 || TFormat.IsMalformed(entry, mapsPage))
                return DescentEnd.Malformed;
            rights &= entry ^ TFormat.DenyingRights;
            if (mapsPage)
            {
                descent.Rights = rights;
                return DescentEnd.Mapped;
            }

            if ((entry & descent.AccessedFlag) != descent.AccessedFlag)
            {
                DescentEnd end = SetFlags<TAccess, TWalk>(ref descent, descent.AccessedFlag);
                if (end != DescentEnd.Mapped)
                    return end;
            }

            guestTable = entry & PagingEntry.AddressMask;
            if (!TAccess.IsNested)
                table = guestTable;
        }
    }

    // Sets accessed or dirty in the last entry read: a read-modify-write that does not lose a change made since.
    private DescentEnd SetFlags<TAccess, TWalk>(ref Descent descent, ulong flags)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        if (TAccess.IsNested && !descent.IsTableWritable)
        {
            // EPT has the last word, not what was cached of it. Loosened meanwhile: the cached place may be wrong too.
            if (!TryTranslateGuestPhysical<TWalk>(descent.EntryGuest, EptEntry.Read | EptEntry.Write, FlagUpdate, out GuestPhysicalMapping mapping))
                return DescentEnd.Refused;
            if (mapping.Host != descent.EntryHost)
                return DescentEnd.Stale;
        }

        ulong entry = descent.Entry | flags;
        if (TWalk.LeavesTrace)
        {
            if (ReadEntry(descent.EntryHost) != descent.Entry)
                return DescentEnd.Stale;
            _memory.Write(new HostPhysicalAddress(descent.EntryHost), entry);
            FlagUpdates++;
        }

        descent.Entry = entry;
        if (TWalk.Records)
            Recorder.Changed(descent.Step, entry);
        return DescentEnd.Mapped;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong ReadEntry(ulong host)
    {
        // SAFETY: entries are aligned, and RAM begins and ends on frame boundaries. What is not RAM reads as all ones, which
        // every format refuses or maps to where no RAM is.
        return _memory.IsRam(new HostPhysicalAddress(host)) ? *(ulong*)(_ram + host) : ulong.MaxValue;
    }
}
