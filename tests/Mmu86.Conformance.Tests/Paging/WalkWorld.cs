using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>One linear address, its four guest entries and, where nested, the EPT entries of the five pages that its walk uses.</summary>
/// <remarks>
/// The guest-physical address of each page has its own upper bits and shares bits 29:0 with its host-physical address. So each
/// page has EPT entries of its own at every level, and any page size of EPT can map it.
/// </remarks>
internal sealed class WalkWorld : IDisposable
{
    /// <summary>The index of the accessed page among <see cref="WalkWorld"/>'s five; 4 to 1 are the guest tables by level.</summary>
    public const int FinalPage = 0;

    /// <summary>The address accessed. Its indexes differ at every level.</summary>
    public static readonly LinearAddress Linear = new(0x5A3C_40C3_4AB8);

    private const ulong RamInBytes = 16 << 20;

    private readonly ulong[] _guestPages = new ulong[5];
    private readonly ulong[] _hostPages = [0, 0x60_5000, 0x68_7000, 0x90_9000, 0xB2_B000];
    private readonly EptBuilder? _ept;
    private readonly List<HostFrameNumber> _tables = [];

    private WalkWorld(EptBuilder? ept, HostMemory memory)
    {
        Memory = memory;
        _ept = ept;
        _hostPages[FinalPage] = Linear.Value & 0x3FFF_F000;
        for (int page = 0; page < 5; page++)
            _guestPages[page] = ept is null ? _hostPages[page] : ((ulong)(page + 1) << 39) | ((ulong)(page + 2) << 30) | _hostPages[page];

        for (int level = 1; level <= 4; level++)
            _tables.Add(new HostPhysicalAddress(_hostPages[level]).Frame);
        if (ept is null)
            return;

        for (int page = 0; page < 5; page++)
        {
            MapByEpt(page, PageSize.Size4K);
            for (int level = 3; level >= 1; level--)
                _tables.Add(ept.EntryAddress(new(_guestPages[page]), level).Frame);
        }

        _tables.Add(new HostPhysicalAddress(ept.Eptp).Frame);
    }

    /// <summary>The emulated host's memory.</summary>
    public HostMemory Memory { get; }

    /// <summary>What CR3 holds, without a PCID.</summary>
    public ulong Root => _guestPages[4];

    /// <summary>The EPT pointer; 0 where paging is native.</summary>
    public ulong Eptp => _ept?.Eptp ?? 0;

    /// <summary>The guest-physical address of the accessed page while <see cref="GuestPointer"/> is used unchanged.</summary>
    public GuestPhysicalAddress FinalAddress => new(_guestPages[FinalPage] | (Linear.Value & 0xFFF));

    /// <summary>A world without EPT.</summary>
    public static WalkWorld Native() => new(null, new HostMemory(RamInBytes));

    /// <summary>A world with EPT.</summary>
    public static WalkWorld Nested()
    {
        var memory = new HostMemory(RamInBytes);
        return new WalkWorld(new EptBuilder(memory, new FrameAllocator(new HostFrameNumber(0x100), 32)), memory);
    }

    /// <summary>The address bits of a guest entry: those of the next table, or those of the page where the entry maps one.</summary>
    public ulong GuestPointer(int level, PageSize size) =>
        level == PageTableBuilder.LevelOf(size) ? _guestPages[FinalPage] & ~size.OffsetMask() : _guestPages[level - 1];

    /// <summary>Where a guest entry lies in host memory.</summary>
    public HostPhysicalAddress GuestEntry(int level) => new(_hostPages[level] + (((Linear.Value >> (3 + (9 * level))) & 0x1FF) * 8));

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
