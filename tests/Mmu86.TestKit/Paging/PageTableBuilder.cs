using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Builds 4-level page tables of a guest in host memory.</summary>
/// <remarks>
/// Guest-physical memory is taken to lie in one piece in host memory: guest-physical 0 is <c>guestBase</c>. With native paging
/// that is 0. Levels are numbered 4 (PML4E) to 1 (PTE).
/// </remarks>
public sealed class PageTableBuilder
{
    private readonly HostMemory _memory;
    private readonly ulong _guestBase;
    private readonly TableTree _tree;

    /// <summary>Makes an empty PML4 table.</summary>
    /// <param name="memory">Takes the tables.</param>
    /// <param name="frames">Where tables come from.</param>
    /// <param name="guestBase">The host-physical address of guest-physical 0.</param>
    public PageTableBuilder(HostMemory memory, FrameAllocator frames, HostPhysicalAddress guestBase)
    {
        _memory = memory;
        _guestBase = guestBase.Value;
        _tree = new TableTree(memory, frames, (table, _) => (table.Value - _guestBase) | TableFlags);
    }

    /// <summary>The flags of entries that reference tables made from now on; present, writable and user to begin with.</summary>
    public ulong TableFlags { get; set; } = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    /// <summary>The PML4 table: what CR3 holds.</summary>
    public GuestPhysicalAddress Root => new(_tree.Root.Value - _guestBase);

    /// <summary>Maps one page, making the tables above where they are missing.</summary>
    /// <param name="linear">The page; bits within it are ignored.</param>
    /// <param name="target">The frame; bits within it are ignored.</param>
    /// <param name="size">4 KiB, 2 MiB or 1 GiB.</param>
    /// <param name="flags">Flags of the map entry, present included; PS is added where the size needs it.</param>
    public void Map(LinearAddress linear, GuestPhysicalAddress target, PageSize size, ulong flags)
    {
        ulong pageSizeBit = size == PageSize.Size4K ? 0 : PagingEntry.PageSizeBit;
        _memory.Write(_tree.Reach(linear.Value, LevelOf(size)), (target.Value & ~size.OffsetMask()) | flags | pageSizeBit);
    }

    /// <summary>Makes the tables above an entry where they are missing, without writing the entry itself.</summary>
    public void Reach(LinearAddress linear, int level) => _tree.Reach(linear.Value, level);

    /// <summary>Where an entry lies in host memory.</summary>
    /// <exception cref="InvalidOperationException">There is no table of that level for the address.</exception>
    public HostPhysicalAddress EntryAddress(LinearAddress linear, int level) => _tree.EntryAddress(linear.Value, level);

    /// <summary>The guest-physical address of the table that holds an entry.</summary>
    public GuestPhysicalAddress Table(LinearAddress linear, int level) => new(_tree.Table(linear.Value, level).Value - _guestBase);

    /// <summary>Reads an entry.</summary>
    public ulong Read(LinearAddress linear, int level) => _memory.Read<ulong>(EntryAddress(linear, level));

    /// <summary>Replaces an entry by anything.</summary>
    public void Write(LinearAddress linear, int level, ulong value) => _memory.Write(EntryAddress(linear, level), value);

    /// <summary>Sets and clears bits of an entry.</summary>
    public void Change(LinearAddress linear, int level, ulong set, ulong clear) => Write(linear, level, (Read(linear, level) | set) & ~clear);

    /// <summary>The level whose entry maps a page of a size.</summary>
    public static int LevelOf(PageSize size) => size switch
    {
        PageSize.Size4K => 1,
        PageSize.Size2M or PageSize.Size4M => 2,
        PageSize.Size1G => 3,
        _ => throw new ArgumentOutOfRangeException(nameof(size)),
    };
}
