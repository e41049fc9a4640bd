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
    private readonly HostMemory _memory;
    private readonly byte* _ram;
    private readonly Arena _arena;
    private readonly StructureCaches _caches;
    private readonly StructureCache* _nestedTlb;
    private readonly AccessRights _rights;
    private readonly byte* _verdicts;
    private readonly TableLayout* _guestLayouts;
    private readonly Descent* _guest;
    private readonly ulong _addressMask;

    private PagingContext _context;
    private bool _isNested;
    private bool _usesGlobal;

    // Every walk begins with a table at CR3, whose entries have eight bytes, and no control of the second dimension changes how: what 4-level and
    // 5-level paging nearly always are.
    private bool _isUsual;

    // Walks write no flags: the tables are those of a recorded run, which wrote its own.
    private readonly bool _isReplay;

    /// <summary>Makes a walker without a context.</summary>
    public Walker(HostMemory memory, Arena arena, StructureCaches caches, AccessRights rights, MmuConfiguration configuration)
    {
        _memory = memory;
        _ram = memory.Base;
        _isReplay = configuration.IsReplay;
        _arena = arena;
        _caches = caches;
        _nestedTlb = caches.NestedTlb;
        _rights = rights;
        _verdicts = rights.Verdicts;
        PagingFeatures features = configuration.Features;
        int width = features.PhysicalAddressBits;
        _addressMask = PagingEntry.AddressMask & ((1UL << width) - 1);
        _guestLayouts = arena.Allocate<TableLayout>(2 * ((int)GuestPagingMode.FiveLevel + 1));
        for (GuestPagingMode mode = GuestPagingMode.None; mode <= GuestPagingMode.FiveLevel; mode++)
        {
            *GuestLayout(mode, LayoutOption.Clear) = TableLayout.Guest(mode, features, LayoutOption.Clear);
            *GuestLayout(mode, LayoutOption.Set) = TableLayout.Guest(mode, features, LayoutOption.Set);
        }

        _guest = arena.Allocate<Descent>(1);
        _guest->AccessedFlag = PagingEntry.Accessed;
        _ept = arena.Allocate<Descent>(1);
        _ept->LowestCache = caches.LowestEpt;
        _nested = new NestedTables(arena, width, configuration.Nested);
        _subPages = arena.Allocate<Descent>(1);
        _subPages->Layout = arena.Allocate<TableLayout>(1);
        *_subPages->Layout = TableLayout.SubPages(width);
    }

    /// <summary>Takes down the steps of walks that record.</summary>
    public WalkRecorder Recorder { get; } = new();

    /// <summary>Why the last walk failed.</summary>
    public TranslationFault Fault { get; private set; }

    /// <summary>On whose behalf the last walk was made.</summary>
    public AccessMode Mode => _mode;

    /// <summary>Guest entries that the last walk read.</summary>
    public uint GuestReferences { get; private set; }

    /// <summary>EPT entries that the last walk read.</summary>
    public uint EptReferences { get; private set; }

    /// <summary>Entries in which the last walk set accessed or dirty.</summary>
    public uint FlagUpdates { get; private set; }

    /// <summary>Puts a context in force.</summary>
    /// <param name="context">The context.</param>
    /// <param name="space">The tag of its paging-structure-cache entries.</param>
    /// <param name="eptSpace">The tag of its guest-physical entries.</param>
    public void SetContext(in PagingContext context, uint space, uint eptSpace)
    {
        _context = context;
        _isNested = context.IsNested;
        _usesGlobal = (context.Cr4 & Cr4.PageGlobalEnable) != 0;
        GuestPagingMode mode = context.Mode;
        bool isBits32 = mode == GuestPagingMode.Bits32;
        _isUsual = mode >= GuestPagingMode.FourLevel;
        bool isSet = isBits32 ? (context.Cr4 & Cr4.PageSizeExtensions) != 0 : (context.Efer & Efer.NoExecuteEnable) != 0;
        _guest->Layout = GuestLayout(mode, isSet ? LayoutOption.Set : LayoutOption.Clear);
        // A machine's lowest cache may be of a level that the mode does not have.
        StructureCache* lowest = _caches.LowestGuest;
        _guest->LowestCache = lowest != null && lowest->Level <= _guest->Layout->Levels ? lowest : null;
        _guest->Root = context.Cr3 & (isBits32 ? uint.MaxValue & PagingEntry.AddressMask : _addressMask);
        _guest->Space = space;
        if (_isNested)
            PrepareNested(context, eptSpace);
        else
            _verifiesPaging = false;
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
        Begin();
        _linear = address;
        _mode = mode;
        if (TWalk.Records)
            Recorder.Begin();
        if (TWalk.Notes)
            _notedCount = 0;
        _wouldLog = 0;
        if (!_isUsual)
        {
            return !_isNested ? TryWalkUnusual<HostTables, TWalk>(address, kind, mode, out result)
                : _verifiesPaging ? TryWalkUnusual<VerifiedTables, TWalk>(address, kind, mode, out result)
                : TryWalkUnusual<GuestTables, TWalk>(address, kind, mode, out result);
        }

        return _isNested
            ? TryWalkGuest<EightByteEntries, GuestTables, TWalk>(address, kind, mode, out result)
            : TryWalkGuest<EightByteEntries, HostTables, TWalk>(address, kind, mode, out result);
    }

    /// <summary>Drops the structure-cache entries that would serve a linear address in the context in force.</summary>
    public void RemoveServing(ulong address) =>
        _caches.RemoveLinear(_guest->Space, _guest->Layout->EntryBytes == 4 ? FourByteEntries.Prefixed(address) : EightByteEntries.Prefixed(address));

    private TableLayout* GuestLayout(GuestPagingMode mode, LayoutOption option) => _guestLayouts + (2 * (int)mode) + (int)option;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Begin()
    {
        GuestReferences = 0;
        EptReferences = 0;
        FlagUpdates = 0;
    }

    // The one loop. Generic arguments are structs, so each combination is compiled on its own and the tests below cost nothing.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private DescentEnd Descend<TFormat, TAccess, TWalk>(Descent* descent, ulong address, out ulong entry, out ulong rights, out int level)
        where TFormat : struct, ITableFormat
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        level = descent->Layout->Levels;
        rights = ulong.MaxValue;
        entry = 0;
        ulong table = descent->Root;
        ulong guestTable = descent->Root;
        int found = -1;
        StructureCache* cache = descent->LowestCache;
        if (TWalk.ActsAsAccess && descent->UsesCaches && cache != null)
        {
            // The lowest level first: its entry stands for all above it. It answers most walks, so the others are out of line.
            found = cache->FindPrefix(descent->Space, TFormat.Prefixed(address));
            if (found < 0)
            {
                cache = SearchCachesAbove(cache, level, descent->Space, TFormat.Prefixed(address), out int foundAbove);
                found = foundAbove;
            }
        }

        if (found >= 0)
        {
            cache->Hits++;
            cache->Touch(found);
            ulong data = cache->Data(found);
            table = data & PagingEntry.AddressMask;
            rights = data | ~TFormat.RightsMask;
            level = cache->Level - 1;
            if (TAccess.IsNested)
            {
                guestTable = cache->GuestTable(found);
                descent->IsTableWritable = (data & StructureCache.TableWritable) != 0;
            }

            if (TWalk.Records)
                Recorder.Cached(TFormat.Dimension, cache->Level, new HostPhysicalAddress(cache->Source(found)), data, WalkRecorder.CacheOf(TFormat.Dimension, cache->Level));
        }
        else if (TAccess.IsNested)
        {
            // A local of its own: what is passed by address is never kept in a register.
            if (!TryLocateTable<TAccess, TWalk>(descent, guestTable, Offset<TFormat>(address, level), out ulong root))
                return DescentEnd.Refused;
            table = root;
        }

        descent->StartLevel = level;
        ulong offset = Offset<TFormat>(address, level);
        while (true)
        {
            ulong host = table + offset;
            entry = ReadEntry<TFormat, TWalk>(host);
            if (TFormat.Dimension == WalkDimension.Guest)
                GuestReferences++;
            else
                EptReferences++;
            if (TWalk.Notes)
                Note(host);
            descent->Level = level;
            descent->Entry = entry;
            descent->EntryHost = host;
            if (TAccess.IsNested)
                descent->EntryGuest = guestTable + offset;
            if (TWalk.Records)
                descent->Step = Recorder.Read(TFormat.Dimension, level, host, TAccess.IsNested ? new GuestPhysicalAddress(guestTable + offset) : null, entry);

            if ((entry & TFormat.PresentMask) == 0)
                return DescentEnd.NotPresent;
            bool mapsPage = level == 1 || ((entry & PagingEntry.PageSizeBit) != 0 && ((descent->Layout->LargeLevels >> level) & 1) != 0);
            if ((entry & descent->Layout->Reserved(level, mapsPage)) != 0 || TFormat.IsMalformed(*descent->Layout, entry, mapsPage))
                return DescentEnd.Malformed;
            if (TFormat.MayRestart && (entry & PagingEntry.Restart) != 0)
                return Restart<TAccess, TWalk>(descent);
            rights &= TFormat.Granted(entry, mapsPage);
            if (mapsPage)
                return DescentEnd.Mapped;

            if ((entry & descent->AccessedFlag) != descent->AccessedFlag)
            {
                DescentEnd end = SetFlags<TAccess, TWalk>(descent, descent->AccessedFlag);
                if (end != DescentEnd.Mapped)
                    return end;
            }

            // Down to the table that the entry points to. What is known of it before its own entry is read belongs here, so that a walk whose table a
            // cache gave does not pass by it.
            level--;
            guestTable = entry & PagingEntry.AddressMask;
            offset = Offset<TFormat>(address, level);
            if (!TAccess.IsNested)
            {
                table = guestTable;
            }
            else
            {
                if (!TryLocateTable<TAccess, TWalk>(descent, guestTable, offset, out ulong located))
                    return DescentEnd.Refused;
                table = located;
            }

            if (descent->LowestCache != null)
            {
                ulong attributes = OwnAttributes<TFormat>(descent->Entry) | (!TAccess.IsNested || descent->IsTableWritable ? StructureCache.TableWritable : 0);
                descent->Note(level + 1, table | (rights & TFormat.RightsMask) | attributes, guestTable, descent->EntryHost);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Offset<TFormat>(ulong address, int level)
        where TFormat : struct, ITableFormat => (address >> (TFormat.IndexBits * level)) & (ulong)(4096 - TFormat.EntryBytes);

    // PWT and PCD of an entry, where they type the memory of the table it points to. EPT's entries have none.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong OwnAttributes<TFormat>(ulong entry)
        where TFormat : struct, ITableFormat => TFormat.Dimension == WalkDimension.Guest || IsNpt<TFormat>() ? entry & StructureCache.OwnAttributes : 0;

    // The cache given missed: those above it, as far as the mode has levels.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static StructureCache* SearchCachesAbove(StructureCache* cache, int levels, uint space, ulong address, out int found)
    {
        found = -1;
        cache->Misses++;
        for (cache = cache->Above; cache != null && cache->Level <= levels; cache = cache->Above)
        {
            found = cache->FindPrefix(space, address);
            if (found >= 0)
                return cache;
            cache->Misses++;
        }

        found = -1;
        return null;
    }

    // The last entry read sends the walk back. It was used all the same.
    private DescentEnd Restart<TAccess, TWalk>(Descent* descent)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        DescentEnd end = (descent->Entry & PagingEntry.Accessed) != 0 ? DescentEnd.Mapped : SetFlags<TAccess, TWalk>(descent, PagingEntry.Accessed);
        return end == DescentEnd.Mapped ? DescentEnd.Restarted : end;
    }

    // Sets accessed or dirty in the last entry read: a read-modify-write that does not lose a change made since.
    private DescentEnd SetFlags<TAccess, TWalk>(Descent* descent, ulong flags)
        where TAccess : struct, IEntryAccess
        where TWalk : struct, IWalkKind
    {
        if (TAccess.IsNested && !descent->IsTableWritable)
        {
            // EPT has the last word, not what was cached of it. Loosened meanwhile: the cached place may be wrong too.
            if (!TryTranslateGuestPhysical<TWalk>(descent->EntryGuest, _tableWrite, FlagUpdate, out GuestPhysicalMapping mapping))
                return DescentEnd.Refused;
            if (mapping.Host != descent->EntryHost)
                return DescentEnd.Stale;
        }

        ulong entry = descent->Entry | flags;
        if (TWalk.ActsAsAccess)
        {
            HostPhysicalAddress host = new(descent->EntryHost);
            bool isShort = descent->Layout->EntryBytes == 4;
            if ((isShort ? ReadEntry<FourByteEntries, TWalk>(host.Value) : ReadEntry<EightByteEntries, TWalk>(host.Value)) != descent->Entry)
                return DescentEnd.Stale;
            if (TWalk.Withholds)
                Withhold(host.Value, entry, isShort);
            else if (!_isReplay)
                WriteEntry(host, entry, isShort);
            FlagUpdates++;
        }

        descent->Entry = entry;
        if (TWalk.Records)
            Recorder.Changed(descent->Step, entry);
        return DescentEnd.Mapped;
    }

    private void WriteEntry(HostPhysicalAddress host, ulong entry, bool isShort)
    {
        if (isShort)
            _memory.Write(host, (uint)entry);
        else
            _memory.Write(host, entry);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong ReadEntry<TFormat, TWalk>(ulong host)
        where TFormat : struct, ITableFormat
        where TWalk : struct, IWalkKind
    {
        if (TWalk.Withholds && _withheld.Count != 0)
            return ReadWithheld(host, TFormat.EntryBytes == 4);
        // SAFETY: entries are aligned, and RAM begins and ends on frame boundaries. What is not RAM reads as all ones, which
        // every format refuses or maps to where no RAM is.
        if (TFormat.EntryBytes == 4)
            return _memory.IsRam(new HostPhysicalAddress(host)) ? *(uint*)(_ram + host) : uint.MaxValue;
        return _memory.IsRam(new HostPhysicalAddress(host)) ? *(ulong*)(_ram + host) : ulong.MaxValue;
    }
}
