using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Builds 4-level EPT in host memory. Levels are numbered 4 (EPT PML4E) to 1 (EPT PTE).</summary>
public sealed class EptBuilder
{
    private readonly HostMemory _memory;
    private readonly TableTree _tree;

    /// <summary>Makes an empty EPT PML4 table.</summary>
    /// <param name="memory">Takes the tables.</param>
    /// <param name="frames">Where tables come from.</param>
    public EptBuilder(HostMemory memory, FrameAllocator frames)
    {
        _memory = memory;
        _tree = new TableTree(memory, frames, (table, _) => table.Value | EptEntry.Rights);
    }

    /// <summary>The EPT pointer with write-back tables, 4 levels, accessed and dirty flags off.</summary>
    public ulong Eptp => _tree.Root.Value | (3UL << 3) | 6;

    /// <summary>The EPT pointer with accessed and dirty flags on.</summary>
    public ulong EptpWithAccessedAndDirty => Eptp | (1UL << 6);

    /// <summary>Maps one page, making the tables above where they are missing.</summary>
    /// <param name="guestPhysical">The page; bits within it are ignored.</param>
    /// <param name="target">The frame; bits within it are ignored.</param>
    /// <param name="size">4 KiB, 2 MiB or 1 GiB.</param>
    /// <param name="flags">Rights and memory type; bit 7 is added where the size needs it.</param>
    public void Map(GuestPhysicalAddress guestPhysical, HostPhysicalAddress target, PageSize size, ulong flags)
    {
        ulong pageSizeBit = size == PageSize.Size4K ? 0 : EptEntry.PageSizeBit;
        int level = PageTableBuilder.LevelOf(size);
        _memory.Write(_tree.Reach(guestPhysical.Value, level), (target.Value & ~size.OffsetMask()) | flags | pageSizeBit);
    }

    /// <summary>Maps a range of write-back memory with all rights, a page at a time.</summary>
    /// <param name="guestPhysical">The first address, a multiple of the page size.</param>
    /// <param name="target">Where it lies in host memory, a multiple of the page size.</param>
    /// <param name="pages">How many pages.</param>
    /// <param name="size">Their size.</param>
    public void MapRange(GuestPhysicalAddress guestPhysical, HostPhysicalAddress target, int pages, PageSize size)
    {
        for (int i = 0; i < pages; i++)
        {
            ulong offset = (ulong)i * size.Bytes();
            Map(new(guestPhysical.Value + offset), new(target.Value + offset), size, EptEntry.Rights | EptEntry.MemoryTypeWriteBack);
        }
    }

    /// <summary>Makes the tables above an entry where they are missing, without writing the entry itself.</summary>
    public void Reach(GuestPhysicalAddress guestPhysical, int level) => _tree.Reach(guestPhysical.Value, level);

    /// <summary>Where an entry lies in host memory.</summary>
    /// <exception cref="InvalidOperationException">There is no table of that level for the address.</exception>
    public HostPhysicalAddress EntryAddress(GuestPhysicalAddress guestPhysical, int level) => _tree.EntryAddress(guestPhysical.Value, level);

    /// <summary>Reads an entry.</summary>
    public ulong Read(GuestPhysicalAddress guestPhysical, int level) => _memory.Read<ulong>(EntryAddress(guestPhysical, level));

    /// <summary>Replaces an entry by anything.</summary>
    public void Write(GuestPhysicalAddress guestPhysical, int level, ulong value) => _memory.Write(EntryAddress(guestPhysical, level), value);

    /// <summary>Sets and clears bits of an entry.</summary>
    public void Change(GuestPhysicalAddress guestPhysical, int level, ulong set, ulong clear) =>
        Write(guestPhysical, level, (Read(guestPhysical, level) | set) & ~clear);
}
