using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Loaders;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Running;

/// <summary>An MMU with memory and tables but without a CPU: translates addresses of user mode, and maps each page when it is first named.</summary>
/// <remarks>
/// Mapping is neither a fault nor counted: it is as if an operating system had mapped everything before. Frames are given out in the order of
/// first touch, those of tables among them. No frame but a table's is ever written, so memory costs nothing until tables need it.
/// </remarks>
internal sealed class TraceMachine : IDisposable
{
    private const ushort GuestVpid = 1;

    // The reset value of IA32_PAT. SDM 3, "Programming the PAT".
    private const ulong ResetPat = 0x0007_0406_0007_0406;

    private const ulong PageFlags = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    private readonly RunOptions _options;
    private readonly HostMemory _host;
    private readonly GuestMemoryManager? _guestMemory;
    private readonly GuestFrameAllocator _frames;
    private readonly GuestPageTables _tables;
    private readonly Mmu<Unobserved> _mmu;
    private readonly RecordingMmu _recorder;
    private readonly HashSet<ulong> _mapped = [];

    /// <summary>Makes the machine.</summary>
    /// <param name="options">The base run: its machine, paging, page sizes and memory.</param>
    /// <param name="writer">Takes the stream.</param>
    /// <param name="runs">Which lookups may be taken together.</param>
    public TraceMachine(RunOptions options, TranslationStreamWriter writer, RecordedRuns runs)
    {
        _options = options;
        _host = new HostMemory(GuestMachine.HostBytesOf(options), BackingPages.Small);
        Mmu<Unobserved>? mmu = null;
        try
        {
            IGuestPhysicalMemory memory = new NativeGuestMemory(_host);
            if (options.Paging == PagingMode.Nested)
            {
                _guestMemory = new GuestMemoryManager(_host, new MachineFrames(new HostFrameAllocator(_host, new ZeroingScrubber(), audit: null), GuestVpid), new GuestMemoryOptions
                {
                    SizeInBytes = options.MemoryBytes,
                    PageSize = options.HostPage,
                    Format = options.Machine.Mmu.Nested.Format,
                });
                memory = _guestMemory;
            }

            _frames = new GuestFrameAllocator(new GuestPhysicalAddress(4096), new GuestPhysicalLayout(options.MemoryBytes).Top);
            _tables = new GuestPageTables(memory, _frames);
            MmuConfiguration configuration = options.Machine.ToMmuConfiguration(options.Seed);
            mmu = new Mmu<Unobserved>(_host, configuration with { LookUpEveryAccess = true }, default);
            _mmu = mmu;
            _recorder = new RecordingMmu(_mmu, _host, writer, runs);
            _recorder.SetContext(new PagingContext
            {
                Cr0 = Cr0.ProtectionEnable | Cr0.WriteProtect | Cr0.Paging,
                Cr3 = _tables.Root.Value,
                Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable,
                Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
                Eptp = _guestMemory?.Root ?? 0,
                Vpid = _guestMemory is null ? (ushort)0 : GuestVpid,
                Pat = ResetPat,
            });
        }
        catch
        {
            mmu?.Dispose();
            _host.Dispose();
            throw;
        }
    }

    /// <summary>Whether misses of the base machine's first level are marked in the stream.</summary>
    public bool MarksMisses
    {
        init => _recorder.Site = value ? static () => 0 : null;
    }

    /// <summary>Lookups of the data TLBs.</summary>
    public ulong DataLookups { get; private set; }

    /// <summary>Lookups of the instruction TLBs.</summary>
    public ulong FetchLookups { get; private set; }

    /// <summary>What the base machine counted.</summary>
    public MmuStatistics Statistics => _recorder.Snapshot(DataLookups, FetchLookups);

    /// <summary>Makes one lookup, of a page that is mapped or can be.</summary>
    /// <param name="address">Canonical.</param>
    /// <param name="kind">What the access does.</param>
    /// <returns>False where memory has no room for the page or its tables.</returns>
    public bool TryLookUp(ulong address, AccessKind kind)
    {
        if (!_mapped.Contains(address >> 12) && !TryMap(address))
            return false;
        if (kind == AccessKind.Fetch)
            FetchLookups++;
        else
            DataLookups++;
        return _recorder.TryTranslate(new LinearAddress(address), kind, AccessMode.User, out _)
            ? true
            : throw new System.Diagnostics.UnreachableException($"0x{address:x} is mapped for everything");
    }

    /// <summary>Writes down a moment.</summary>
    /// <param name="moment">Which.</param>
    /// <param name="instructions">Instructions so far.</param>
    public void Mark(StreamMoment moment, ulong instructions)
    {
        MmuStatistics mmu = Statistics;
        _recorder.Mark(new StreamMark
        {
            Moment = moment,
            Instructions = instructions,
            DataLookups = DataLookups,
            FetchLookups = FetchLookups,
            DataBySize = [mmu.L1Data.Size4K.Lookups, mmu.L1Data.Size2M.Lookups, mmu.L1Data.Size1G.Lookups],
            FetchBySize = [mmu.L1Instruction.Size4K.Lookups, mmu.L1Instruction.Size2M.Lookups, mmu.L1Instruction.Size1G.Lookups],
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _mmu.Dispose();
        _host.Dispose();
    }

    // A guest page is mapped when any of its bytes is named, a host page below it when one of its own is: each 4 KiB come here once.
    private bool TryMap(ulong address)
    {
        try
        {
            PageSize size = _options.GuestPage;
            var linear = new LinearAddress(address & ~size.OffsetMask());
            if (!_tables.TryTranslate(linear, size, out GuestPhysicalAddress page))
            {
                if (!_frames.TryTakePage(size, out FrameRun frames))
                    return false;
                page = frames.Start.Address;
                _tables.Map(linear, page, size.Bytes(), size, PageFlags);
            }

            if (_guestMemory is not null && _guestMemory.Populate(new GuestPhysicalAddress(page.Value + (address & size.OffsetMask()))) != PopulateResult.Mapped)
                return false;
            _mapped.Add(address >> 12);
            return true;
        }
        catch (Exception exception) when (exception is ImageFormatException or HostMemoryExhaustedException)
        {
            // No frame for a table.
            return false;
        }
    }
}
