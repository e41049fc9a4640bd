using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>One linear address, its guest entries in one paging mode and, where nested, the EPT entries of the pages that its walk uses.</summary>
/// <remarks>
/// The guest-physical address of each page has its own upper bits and shares bits 29:0 with its host-physical address. So each
/// page has EPT entries of its own at every level, and any page size of EPT can map it. Where guest entries have 32 address bits the
/// pages share their EPT PML4E.
/// </remarks>
internal sealed class WalkWorld : IDisposable
{
    /// <summary>The index of the accessed page among those of the walk; 1 and up are the guest tables by level.</summary>
    public const int FinalPage = 0;

    /// <summary>The address accessed in a world of 4-level paging. Its indexes differ at every level.</summary>
    public static readonly LinearAddress Linear = new(0x5A3C_40C3_4AB8);

    // The same with one more index, and with the sign set.
    private const ulong Linear57 = 0x00A5_5A3C_40C3_4AB8;
    private const ulong UpperLinear48 = 0xFFFF_DA3C_40C3_4AB8;
    private const ulong UpperLinear57 = 0xFFA5_5A3C_40C3_4AB8;

    private const ulong RamInBytes = 16 << 20;

    private readonly ulong[] _guestPages;
    private readonly ulong[] _hostPages = [0, 0x60_5000, 0x68_7000, 0x90_9000, 0xB2_B000, 0xD4_D000];
    private readonly EptBuilder? _ept;
    private readonly List<HostFrameNumber> _tables = [];

    private WalkWorld(EptBuilder? ept, HostMemory memory, GuestPagingMode mode, LinearAddress address)
    {
        Memory = memory;
        _ept = ept;
        Mode = mode;
        Address = address;
        Levels = mode switch
        {
            GuestPagingMode.Bits32 or GuestPagingMode.Pae => 2,
            GuestPagingMode.FourLevel => 4,
            GuestPagingMode.FiveLevel => 5,
            _ => throw new ArgumentOutOfRangeException(nameof(mode)),
        };
        _guestPages = new ulong[Levels + 1];
        _hostPages[FinalPage] = Address.Value & 0x3FFF_F000;
        for (int page = 0; page < Pages; page++)
            _guestPages[page] = ept is null ? _hostPages[page] : Upper(page) | _hostPages[page];

        for (int level = 1; level <= Levels; level++)
            _tables.Add(new HostPhysicalAddress(_hostPages[level]).Frame);
        if (ept is null)
            return;

        for (int page = 0; page < Pages; page++)
        {
            MapByEpt(page, PageSize.Size4K);
            for (int level = 3; level >= 1; level--)
                _tables.Add(ept.EntryAddress(new(_guestPages[page]), level).Frame);
        }

        _tables.Add(new HostPhysicalAddress(ept.Eptp).Frame);
        ulong Upper(int page) => (IsBits32 ? 0 : (ulong)(page + 1) << 39) | ((ulong)(page + (IsBits32 ? 1 : 2)) << 30);
    }

    /// <summary>The paging mode.</summary>
    public GuestPagingMode Mode { get; }

    /// <summary>How many levels of tables the mode has.</summary>
    public int Levels { get; }

    /// <summary>The address accessed.</summary>
    public LinearAddress Address { get; }

    /// <summary>How many pages a walk uses: the tables and the accessed page.</summary>
    public int Pages => Levels + 1;

    /// <summary>The registers of PAE paging while the one in use points to the page directory.</summary>
    public PdpteRegisters Pdptes => new(0, _guestPages[2] | PagingEntry.Present, 0, 0);

    private bool IsBits32 => Mode == GuestPagingMode.Bits32;

    /// <summary>The emulated host's memory.</summary>
    public HostMemory Memory { get; }

    /// <summary>What CR3 holds, without a PCID.</summary>
    public ulong Root => Mode == GuestPagingMode.Pae ? 0 : _guestPages[Levels];

    /// <summary>The EPT pointer; 0 where paging is native.</summary>
    public ulong Eptp => _ept?.Eptp ?? 0;

    /// <summary>The guest-physical address of the accessed page while <see cref="GuestPointer"/> is used unchanged.</summary>
    public GuestPhysicalAddress FinalAddress => new(_guestPages[FinalPage] | (Address.Value & 0xFFF));

    /// <summary>A world of 4-level paging without EPT.</summary>
    public static WalkWorld Native() => Native(GuestPagingMode.FourLevel);

    /// <summary>A world of 4-level paging with EPT.</summary>
    public static WalkWorld Nested() => Nested(GuestPagingMode.FourLevel);

    /// <summary>A world without EPT, its address in the lower half.</summary>
    public static WalkWorld Native(GuestPagingMode mode) => new(null, new HostMemory(RamInBytes, BackingPages.Small), mode, LowerHalf(mode));

    /// <summary>A world without EPT, its address in the upper half: 4-level and 5-level paging.</summary>
    public static WalkWorld NativeUpperHalf(GuestPagingMode mode) =>
        new(null, new HostMemory(RamInBytes, BackingPages.Small), mode, new LinearAddress(mode == GuestPagingMode.FiveLevel ? UpperLinear57 : UpperLinear48));

    /// <summary>A world with EPT, its address in the lower half.</summary>
    public static WalkWorld Nested(GuestPagingMode mode)
    {
        var memory = new HostMemory(RamInBytes, BackingPages.Small);
        return new WalkWorld(new EptBuilder(memory, new FrameAllocator(new HostFrameNumber(0x100), 32)), memory, mode, LowerHalf(mode));
    }

    private static LinearAddress LowerHalf(GuestPagingMode mode) => mode switch
    {
        GuestPagingMode.Bits32 or GuestPagingMode.Pae => new LinearAddress((uint)Linear.Value),
        GuestPagingMode.FiveLevel => new LinearAddress(Linear57),
        _ => Linear,
    };

    /// <summary>The address bits of a guest entry: those of the next table, or those of the page where the entry maps one.</summary>
    public ulong GuestPointer(int level, PageSize size) =>
        level == PageTableBuilder.LevelOf(size) ? _guestPages[FinalPage] & ~size.OffsetMask() : _guestPages[level - 1];

    /// <summary>Where a guest entry lies in host memory.</summary>
    public HostPhysicalAddress GuestEntry(int level) => new(_hostPages[level] + (IsBits32
        ? ((Address.Value >> (2 + (10 * level))) & 0x3FF) * 4
        : ((Address.Value >> (3 + (9 * level))) & 0x1FF) * 8));

    /// <summary>Reads a guest entry, of four bytes or eight.</summary>
    public ulong ReadGuestEntry(int level) => IsBits32 ? Memory.Read<uint>(GuestEntry(level)) : Memory.Read<ulong>(GuestEntry(level));

    /// <summary>Writes a guest entry, of four bytes or eight.</summary>
    public void WriteGuestEntry(int level, ulong value)
    {
        if (IsBits32)
            Memory.Write(GuestEntry(level), (uint)value);
        else
            Memory.Write(GuestEntry(level), value);
    }

    /// <summary>The guest-physical address of a page of the walk.</summary>
    public GuestPhysicalAddress GuestPage(int page) => new(_guestPages[page]);

    /// <summary>Where the EPT entry of a page of the walk lies in host memory.</summary>
    public HostPhysicalAddress EptEntryAddress(int page, int level) => _ept!.EntryAddress(new(_guestPages[page]), level);

    /// <summary>The address bits of an EPT entry of a page of the walk.</summary>
    public ulong EptPointer(int page, int level, PageSize size) => level == PageTableBuilder.LevelOf(size)
        ? _hostPages[page] & ~size.OffsetMask()
        : _ept!.EntryAddress(new(_guestPages[page]), level - 1).Value & ~0xFFFUL;

    /// <summary>Gives a page all rights in EPT, by a page of a size.</summary>
    public void MapByEpt(int page, PageSize size)
    {
        // Reaching the last level keeps the tables of smaller pages for the next case.
        _ept!.Reach(new(_guestPages[page]), 1);
        for (int level = 4; level > PageTableBuilder.LevelOf(size); level--)
            Memory.Write(EptEntryAddress(page, level), EptPointer(page, level, size) | EptEntry.Rights);
        _ept.Map(new(_guestPages[page]), new(_hostPages[page]), size, EptEntry.Rights | EptEntry.MemoryTypeWriteBack);
    }

    /// <summary>Every frame that holds a table.</summary>
    public IReadOnlyList<HostFrameNumber> Tables => _tables;

    /// <inheritdoc/>
    public void Dispose() => Memory.Dispose();
}
