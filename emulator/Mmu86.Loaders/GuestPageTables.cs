using System.Runtime.InteropServices;
using Mmu86.X86;

namespace Mmu86.Loaders;

/// <summary>A hierarchy of 4-level paging structures in guest memory, written a table at a time. SDM 3, "4-Level Paging".</summary>
/// <remarks>
/// Entries that reference tables allow everything, so that the entry that maps the page decides. Accessed and dirty are never set here:
/// the walks of the run set them, as on hardware. Tables are not given back, so no paging-structure cache can reach a frame that
/// something else owns.
/// </remarks>
public sealed class GuestPageTables
{
    /// <summary>Entries in a table.</summary>
    public const int EntriesPerTable = 512;

    private const int EntryBytes = sizeof(ulong);
    private const int TopShift = 39;
    private const ulong TableFlags = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    private readonly IGuestPhysicalMemory _memory;
    private readonly GuestFrameAllocator _frames;

    /// <summary>Takes a frame for the PML4 table.</summary>
    /// <param name="memory">Where the tables are written.</param>
    /// <param name="frames">Where their frames come from.</param>
    /// <exception cref="ImageFormatException">No frame is free.</exception>
    public GuestPageTables(IGuestPhysicalMemory memory, GuestFrameAllocator frames)
    {
        _memory = memory;
        _frames = frames;
        Root = TakeTable();
    }

    /// <summary>The PML4 table: what CR3 holds.</summary>
    public GuestPhysicalAddress Root { get; }

    /// <summary>The most tables below the PML4 table that it takes to map a range.</summary>
    public static ulong MostTablesFor(ulong lengthInBytes, PageSize size)
    {
        ulong tables = 0;
        for (int shift = size.Shift() + 9; shift <= TopShift; shift += 9)
            tables += (lengthInBytes >> shift) + 2;
        return tables;
    }

    /// <summary>Maps a linear range to a guest-physical range of the same length.</summary>
    /// <param name="linear">Aligned to the page size.</param>
    /// <param name="physical">Aligned to the page size.</param>
    /// <param name="length">In bytes; a multiple of the page size.</param>
    /// <param name="size">The size of every page.</param>
    /// <param name="flags">The bits of each entry besides its address and PS.</param>
    /// <exception cref="ImageFormatException">No frame is free for a table.</exception>
    public void Map(LinearAddress linear, GuestPhysicalAddress physical, ulong length, PageSize size, ulong flags)
    {
        Span<ulong> entries = stackalloc ulong[EntriesPerTable];
        flags |= LeafBit(size);
        for (ulong done = 0; done < length;)
        {
            var at = new LinearAddress(linear.Value + done);
            int count = (int)Math.Min((ulong)CountToTableEnd(at, size), (length - done) >> size.Shift());
            for (int i = 0; i < count; i++)
                entries[i] = (physical.Value + done + ((ulong)i << size.Shift())) | flags;
            WriteLeaves(at, size, entries[..count]);
            done += (ulong)count << size.Shift();
        }
    }

    /// <summary>PS where an entry of that size needs it to map a page.</summary>
    public static ulong LeafBit(PageSize size) => size == PageSize.Size4K ? 0 : PagingEntry.PageSizeBit;

    /// <summary>How many entries from the one for this address to the end of its table.</summary>
    public static int CountToTableEnd(LinearAddress linear, PageSize size) =>
        EntriesPerTable - (int)(linear.Value >> size.Shift() & (EntriesPerTable - 1));

    /// <summary>Reads the entries that map pages of a size, from one address on; zeros where there is no table.</summary>
    /// <param name="entries">No more than <see cref="CountToTableEnd"/>.</param>
    public void ReadLeaves(LinearAddress linear, PageSize size, Span<ulong> entries)
    {
        if (TryFindTable(linear, size, TablesOnTheWay.MustExist, out GuestPhysicalAddress table))
            _memory.Read(EntryAddress(table, linear, size.Shift()), MemoryMarshal.AsBytes(entries));
        else
            entries.Clear();
    }

    /// <summary>Writes the entries that map pages of a size, from one address on. Makes the tables above where they are absent.</summary>
    /// <param name="entries">No more than <see cref="CountToTableEnd"/>.</param>
    /// <exception cref="ImageFormatException">No frame is free for a table.</exception>
    public void WriteLeaves(LinearAddress linear, PageSize size, ReadOnlySpan<ulong> entries)
    {
        TryFindTable(linear, size, TablesOnTheWay.AreMade, out GuestPhysicalAddress table);
        _memory.Write(EntryAddress(table, linear, size.Shift()), MemoryMarshal.AsBytes(entries));
    }

    /// <summary>How much of a range from an address on surely has no entries, because a table above is absent.</summary>
    /// <returns>Bytes up to the end of what the absent table would map; 0 where there is a table.</returns>
    public ulong BytesWithoutTable(LinearAddress linear, PageSize size)
    {
        Span<byte> bytes = stackalloc byte[EntryBytes];
        GuestPhysicalAddress table = Root;
        for (int shift = TopShift; shift > size.Shift(); shift -= 9)
        {
            _memory.Read(EntryAddress(table, linear, shift), bytes);
            ulong entry = MemoryMarshal.Read<ulong>(bytes);
            if ((entry & PagingEntry.Present) == 0)
                return (1UL << shift) - (linear.Value & ((1UL << shift) - 1));
            table = new GuestPhysicalAddress(entry & PagingEntry.AddressMask);
        }

        return 0;
    }

    /// <summary>Translates by tables that map pages of one size only. Sets no accessed flag.</summary>
    /// <returns>False where the page is not present.</returns>
    public bool TryTranslate(LinearAddress linear, PageSize size, out GuestPhysicalAddress physical)
    {
        Span<ulong> entry = stackalloc ulong[1];
        ReadLeaves(linear, size, entry);
        physical = new GuestPhysicalAddress((entry[0] & PagingEntry.AddressMask & ~size.OffsetMask()) | (linear.Value & size.OffsetMask()));
        return (entry[0] & PagingEntry.Present) != 0;
    }

    private enum TablesOnTheWay
    {
        MustExist,
        AreMade,
    }

    private static GuestPhysicalAddress EntryAddress(GuestPhysicalAddress table, LinearAddress linear, int shift) =>
        new(table.Value + ((linear.Value >> shift & (EntriesPerTable - 1)) * EntryBytes));

    private bool TryFindTable(LinearAddress linear, PageSize size, TablesOnTheWay way, out GuestPhysicalAddress table)
    {
        Span<byte> bytes = stackalloc byte[EntryBytes];
        table = Root;
        for (int shift = TopShift; shift > size.Shift(); shift -= 9)
        {
            GuestPhysicalAddress at = EntryAddress(table, linear, shift);
            _memory.Read(at, bytes);
            ulong entry = MemoryMarshal.Read<ulong>(bytes);
            if ((entry & PagingEntry.Present) == 0)
            {
                if (way == TablesOnTheWay.MustExist)
                    return false;
                entry = TakeTable().Value | TableFlags;
                MemoryMarshal.Write(bytes, in entry);
                _memory.Write(at, bytes);
            }

            table = new GuestPhysicalAddress(entry & PagingEntry.AddressMask);
        }

        return true;
    }

    private GuestPhysicalAddress TakeTable()
    {
        if (!_frames.TryTake(out FrameRun run))
            throw new ImageFormatException($"The machine's memory (0x{_memory.SizeInBytes:x} bytes) has no room for the page tables.");
        if (run.UsedBefore)
            _memory.Clear(run.Start.Address, 4096);
        return run.Start.Address;
    }
}
