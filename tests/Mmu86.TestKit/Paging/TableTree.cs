using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>Four levels of tables of 512 entries in host memory, whatever their entries mean.</summary>
/// <remarks>
/// It remembers where it put each table instead of reading the entries back, so a test may write any garbage into an entry and
/// still find the entries below it.
/// </remarks>
internal sealed class TableTree
{
    private readonly HostMemory _memory;
    private readonly FrameAllocator _frames;
    private readonly Func<HostPhysicalAddress, int, ulong> _pointerTo;
    private readonly Dictionary<(int Level, ulong Prefix), HostPhysicalAddress> _tables = [];

    /// <summary>Makes the root.</summary>
    /// <param name="memory">Takes the tables.</param>
    /// <param name="frames">Where tables come from.</param>
    /// <param name="pointerTo">The entry that references a new table: its address and its level, 3 to 1.</param>
    public TableTree(HostMemory memory, FrameAllocator frames, Func<HostPhysicalAddress, int, ulong> pointerTo)
    {
        _memory = memory;
        _frames = frames;
        _pointerTo = pointerTo;
        Root = NewTable(4, 0);
    }

    /// <summary>The level-4 table.</summary>
    public HostPhysicalAddress Root { get; }

    /// <summary>Makes the tables above an entry where they are missing, and returns the entry's address.</summary>
    public HostPhysicalAddress Reach(ulong address, int level)
    {
        for (int above = 4; above > level; above--)
        {
            if (_tables.ContainsKey(Key(address, above - 1)))
                continue;
            HostPhysicalAddress table = NewTable(above - 1, address);
            _memory.Write(EntryAddress(address, above), _pointerTo(table, above - 1));
        }

        return EntryAddress(address, level);
    }

    /// <summary>Where the entry for an address lies.</summary>
    /// <exception cref="InvalidOperationException">There is no table of that level for the address.</exception>
    public HostPhysicalAddress EntryAddress(ulong address, int level)
    {
        if (!_tables.TryGetValue(Key(address, level), out HostPhysicalAddress table))
            throw new InvalidOperationException($"No table of level {level} for 0x{address:x}.");
        return new HostPhysicalAddress(table.Value + (Index(address, level) * 8));
    }

    /// <summary>Where the table for an address lies.</summary>
    public HostPhysicalAddress Table(ulong address, int level) => new(EntryAddress(address, level).Value & ~0xFFFUL);

    private HostPhysicalAddress NewTable(int level, ulong address)
    {
        HostPhysicalAddress table = _frames.Allocate().Address;
        _memory.Clear(table, 4096);
        _tables.Add(Key(address, level), table);
        return table;
    }

    // The table of a level is chosen by the address bits above its own index; bits above 47 take no part.
    private static (int Level, ulong Prefix) Key(ulong address, int level) => (level, (address & 0xFFFF_FFFF_FFFF) >> (12 + (9 * level)));

    private static ulong Index(ulong address, int level) => (address >> (3 + (9 * level))) & 0x1FF;
}
