using System.Diagnostics;
using Mmu86.Hypervisor.Frames;
using Mmu86.Loaders;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>One guest's memory below nested paging: the only writer of its nested tables (accessed and dirty flags are the walker's to set).</summary>
/// <remarks>
/// A page gets its frames when it is first touched: on an EPT violation (NPT: a nested page fault), or when a loader writes it. RAM is mapped with the largest
/// page up to the configured size that is RAM throughout. Guest-physical addresses that are no RAM lead to host-physical addresses
/// that are none either, so that an access there ends at the device bus as it does without. SDM 3, "EPT Translation Mechanism"; APM 2, "Nested Paging".
/// The entry of a frame holds its state: present, resident; present with <see cref="SharedMark"/>, shared; with <see cref="SwappedMark"/>, swapped, and the
/// slot is where an address would be; <see cref="BalloonedMark"/> alone, ballooned; zero, unpopulated. The processor looks at nothing else of an entry that is not present.
/// </remarks>
public sealed partial class GuestMemoryManager : IGuestPhysicalMemory
{
    private const int RootLevel = 4;
    private const int EntriesOfTable = 512;

    // An ignored bit of entries that are not present. Bit 10 would make one present under mode-based execute control.
    private const ulong SwappedMark = 1UL << 11;
    private const int SlotShift = 12;

    // The last frame of the device hole, where no device is: it stands for all addresses beyond the guest's memory.
    private const ulong VoidFrame = HostMemory.HoleEnd - 4096;

    // Four levels translate 48 bits.
    private const ulong GuestPhysicalEnd = 1UL << 48;

    private readonly HostMemory _host;
    private readonly MachineFrames _frames;
    private readonly GuestPhysicalLayout _layout;
    private readonly PageSize _largestPage;
    private readonly NestedEntryFormat _format;
    private readonly IPageStore? _store;
    private readonly IResidencyObserver? _residency;
    private readonly ulong _rootFlags;
    private readonly List<IMmu> _mmus = [];

    // Another where the host was restored.
    private HostPhysicalAddress _root;

    // Something was taken away from the tables that an MMU may still remember.
    private bool _isStale;
    private IMappingKeeper? _keeper;

    /// <summary>Makes empty nested tables: their root.</summary>
    /// <param name="host">The RAM of the host, as the machine sees it.</param>
    /// <param name="frames">Where frames come from.</param>
    /// <param name="options">How much memory, and by which tables.</param>
    /// <exception cref="HostMemoryExhaustedException">The host has no frame for the root.</exception>
    public GuestMemoryManager(HostMemory host, MachineFrames frames, GuestMemoryOptions options)
    {
        _host = host;
        _frames = frames;
        _layout = new GuestPhysicalLayout(options.SizeInBytes);
        _largestPage = options.PageSize;
        _format = NestedEntryFormat.Of(options.Format);
        _store = options.Store;
        _residency = options.Residency;
        _tracksDirt = options.TracksAccesses || options.Format == NestedFormat.Npt;
        _rootFlags = _format.RootFlags | (options.TracksAccesses ? _format.TrackingRootFlags : 0);
        if (!TryTakeTable(out _root))
            throw new HostMemoryExhaustedException();
    }

    /// <inheritdoc/>
    public ulong SizeInBytes => _layout.SizeInBytes;

    /// <summary>The root for the MMU's context: an EPT pointer (write-back, four levels), or an <see cref="NptPointer"/>.</summary>
    public ulong Root => _root.Value | _rootFlags;

    /// <summary>Frames of 4 KiB of RAM that are resident and the guest's alone, tables not counted.</summary>
    public ulong ResidentFrames { get; private set; }

    /// <summary>Frames of 4 KiB whose bytes are in the page store.</summary>
    public ulong SwappedFrames { get; private set; }

    /// <summary>Frames of 4 KiB that the nested tables themselves take, and page-modification logs.</summary>
    public ulong TableFrames { get; private set; }

    /// <summary>What was done to the tables so far.</summary>
    public GuestMemoryCounts Counts { get; } = new();

    /// <summary>From now on an MMU is told when something that it may remember is taken away.</summary>
    public void Attach(IMmu mmu) => _mmus.Add(mmu);

    /// <summary>The same for one who keeps translations besides.</summary>
    internal void Attach(IMappingKeeper keeper) => _keeper = keeper;

    /// <summary>Maps the page that holds an address that the tables refused, if it is not mapped yet. A fresh page of RAM reads as zeros.</summary>
    /// <returns>Only <see cref="PopulateResult.Mapped"/> leaves a mapped page; tables on the way may have been made in any case.</returns>
    public PopulateResult Populate(GuestPhysicalAddress address)
    {
        if (address.Value >= GuestPhysicalEnd)
            return PopulateResult.OutOfReach;
        HostPhysicalAddress table = _root;
        PageSize size = LargestPageAt(address);
        for (int level = RootLevel; ; level--)
        {
            HostPhysicalAddress at = EntryAddress(table, address, level);
            ulong entry = _host.Read<ulong>(at);
            if (entry is 0 or BalloonedMark)
            {
                if (level <= 1 + (int)size)
                {
                    size = (PageSize)(level - 1); // a range that has a table already gets small pages
                    if (TryWriteLeaf(at, address, size))
                    {
                        NoteBalloonedTouched(entry);
                        return PopulateResult.Mapped;
                    }

                    if (size == PageSize.Size4K)
                        return PopulateResult.NoFrame;
                    size--; // no run so large is to be had
                }

                if (!TryTakeTable(out HostPhysicalAddress next))
                    return PopulateResult.NoFrame;
                entry = next.Value | _format.Table;
                _host.Write(at, entry);
            }
            else if (IsLeaf(entry, level))
            {
                // A shared page may be read and fetched from, so it was a write that the tables refused.
                return IsShared(entry) ? PopulateResult.SharedWrite : PopulateResult.Mapped;
            }
            else if (!IsPresent(entry))
            {
                return PopulateResult.Swapped;
            }

            table = Address(entry);
        }
    }

    /// <summary>Gives the guest a page for itself: a swapped one comes back, a shared one is copied. Only while the machine does not run.</summary>
    /// <remarks>While dirty flags tell that nobody writes a page that came back, its copy in the store is kept: evicting it again needs no write.</remarks>
    /// <returns><see cref="PopulateResult.Mapped"/> also where it had one.</returns>
    public PopulateResult BringIn(GuestPhysicalAddress address)
    {
        if (TryLetWrite(address))
            return PopulateResult.Mapped;
        PopulateResult result = Populate(address);
        if (result == PopulateResult.SharedWrite)
            return BreakSharing(address);
        if (result != PopulateResult.Swapped)
            return result;
        HostPhysicalAddress leaf = FindEntry(address, out _, out ulong entry);
        ulong slot = entry >> SlotShift;
        if (!_frames.TryTake(PageSize.Size4K, out HostPhysicalAddress frame))
            return PopulateResult.NoFrame;
        Span<byte> page = stackalloc byte[4096];
        PageLoad load = _store!.Load(slot, page);
        if (load != PageLoad.Done)
        {
            _frames.Return(PageSize.Size4K, frame); // nothing ever led to it
            return load == PageLoad.Corrupt ? PopulateResult.Corrupt : PopulateResult.Unreadable;
        }

        _host.Write(frame, page);
        _host.Write(leaf, frame.Value | NewPageFlags);
        if (_tracksDirt)
            NoteCopy(address.Frame, slot);
        else
            _store.Free(slot);
        SwappedFrames--;
        Counts.SwappedIn++;
        NoteResident(address, PageSize.Size4K, wasSwapped: true);
        return PopulateResult.Mapped;
    }

    /// <summary>Where a guest-physical address is in the host.</summary>
    /// <returns>False where it is not mapped.</returns>
    public bool TryTranslate(GuestPhysicalAddress address, out HostPhysicalAddress host)
    {
        host = default;
        if (address.Value >= GuestPhysicalEnd)
            return false;
        _ = FindEntry(address, out int level, out ulong entry);
        if (!IsLeaf(entry, level))
            return false;
        host = new HostPhysicalAddress(Address(entry).Value + (address.Value & ((PageSize)(level - 1)).OffsetMask()));
        return true;
    }

    /// <summary>The state of a frame.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is no RAM of the guest.</exception>
    public GuestFrameState StateOf(GuestFrameNumber frame)
    {
        if (!_layout.IsRam(frame.Address, 4096))
            throw new ArgumentOutOfRangeException(nameof(frame), frame, "Not a frame of the guest's RAM.");
        _ = FindEntry(frame.Address, out int level, out ulong entry);
        return IsLeaf(entry, level) ? (IsShared(entry) ? GuestFrameState.Shared : GuestFrameState.Resident)
            : entry == BalloonedMark ? GuestFrameState.Ballooned
            : entry != 0 ? GuestFrameState.Swapped
            : GuestFrameState.Unpopulated;
    }

    /// <summary>Tells every MMU to forget what was taken away: like INVEPT of this root on every virtual CPU. Nothing where nothing was.</summary>
    /// <remarks>The virtual CPUs stand between two instructions, so it is acknowledged at once.</remarks>
    public void Settle()
    {
        if (!_isStale)
            return;
        _isStale = false;
        Counts.Invalidations++;
        foreach (IMmu mmu in _mmus)
            mmu.InvalidateEptContext(Root);
        _keeper?.ForgetMappings();
    }

    private static HostPhysicalAddress EntryAddress(HostPhysicalAddress table, GuestPhysicalAddress address, int level) =>
        new(table.Value + (((address.Value >> (12 + (9 * (level - 1)))) & 0x1FF) * sizeof(ulong)));

    private static HostPhysicalAddress EntryAddress(HostPhysicalAddress table, int index) => new(table.Value + ((ulong)index * sizeof(ulong)));

    private static HostPhysicalAddress Address(ulong entry) => new(entry & EptEntry.AddressMask);

    private bool IsPresent(ulong entry) => (entry & _format.PresentMask) != 0;

    private bool IsLeaf(ulong entry, int level) => IsPresent(entry) && (level == 1 || (entry & EptEntry.PageSizeBit) != 0);

    // The entry that decides about an address: one that maps a page, or the first that is not present.
    private HostPhysicalAddress FindEntry(GuestPhysicalAddress address, out int level, out ulong entry)
    {
        HostPhysicalAddress table = _root;
        for (level = RootLevel; ; level--)
        {
            HostPhysicalAddress at = EntryAddress(table, address, level);
            entry = _host.Read<ulong>(at);
            if (!IsPresent(entry) || IsLeaf(entry, level))
                return at;
            table = Address(entry);
        }
    }

    private bool TryTakeTable(out HostPhysicalAddress table)
    {
        if (!_frames.TryTake(PageSize.Size4K, out table))
            return false;
        NoteTable(table);
        return true;
    }

    private void NoteTable(HostPhysicalAddress table)
    {
        _frames.Audit?.RequireZero(table, 4096, _frames.Owner);
        TableFrames++;
    }

    private bool TryWriteLeaf(HostPhysicalAddress leaf, GuestPhysicalAddress address, PageSize size)
    {
        HostPhysicalAddress page;
        bool isRam = _layout.IsRam(address, 1);
        if (isRam)
        {
            if (!_frames.TryTake(size, out page))
                return false;
            _frames.Audit?.RequireZero(page, size.Bytes(), _frames.Owner);
        }
        else
        {
            bool hole = address.Value >= HostMemory.HoleStart && address.Value < HostMemory.HoleEnd;
            page = new HostPhysicalAddress(hole ? address.Value & ~0xFFFUL : VoidFrame);
        }

        _host.Write(leaf, page.Value | (isRam ? NewPageFlags : _format.Page) | (size == PageSize.Size4K ? 0 : EptEntry.PageSizeBit));
        if (isRam)
            NoteResident(address, size, wasSwapped: false);
        return true;
    }

    private PageSize LargestPageAt(GuestPhysicalAddress address)
    {
        PageSize size = _dirtyLog is null ? _largestPage : PageSize.Size4K;
        while (size != PageSize.Size4K && !_layout.IsRam(new GuestPhysicalAddress(address.Value & ~size.OffsetMask()), size.Bytes()))
            size--;
        return size;
    }

    private void Release(IReadOnlyList<(HostPhysicalAddress Start, PageSize Size)> frames)
    {
        // Unmapped they are; now nothing may remember them, then their code goes, then they are free.
        _isStale |= frames.Count + _left.Count > 0;
        Settle();
        foreach ((HostPhysicalAddress start, PageSize size) in frames)
        {
            _host.NoteWrite(start, size.Bytes());
            _frames.Return(size, start);
        }

        foreach (HostFrameNumber shared in _left)
        {
            _host.NoteWrite(shared.Address, 4096);
            _frames.Leave(shared);
        }

        _left.Clear();
    }
}
