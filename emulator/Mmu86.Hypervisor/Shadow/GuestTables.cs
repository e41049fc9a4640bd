using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>The frames of the guest that are paging tables.</summary>
internal sealed class GuestTables
{
    private readonly Dictionary<GuestFrameNumber, GuestTable> _tables = [];

    // How many there are in each range of 2 MiB and 1 GiB: pages of that size cannot be mapped whole.
    private readonly Dictionary<ulong, int> _in2M = [];
    private readonly Dictionary<ulong, int> _in1G = [];

    /// <summary>The table in a frame; null where none is known.</summary>
    public GuestTable? Find(GuestFrameNumber frame) => _tables.GetValueOrDefault(frame);

    /// <summary>The table in a frame, from now on known.</summary>
    public GuestTable Add(GuestFrameNumber frame)
    {
        if (_tables.TryGetValue(frame, out GuestTable? table))
            return table;
        table = new GuestTable(frame);
        _tables.Add(frame, table);
        Count(frame, 1);
        return table;
    }

    /// <summary>Nothing depends on a table any more.</summary>
    public void Remove(GuestTable table)
    {
        _tables.Remove(table.Frame);
        Count(table.Frame, -1);
    }

    /// <summary>Whether a page of a size that begins with a frame has tables in it.</summary>
    public bool AnyIn(GuestFrameNumber first, PageSize size) => size == PageSize.Size2M
        ? _in2M.ContainsKey(first.Value >> 9)
        : _in1G.ContainsKey(first.Value >> 18);

    private void Count(GuestFrameNumber frame, int change)
    {
        Count(_in2M, frame.Value >> 9, change);
        Count(_in1G, frame.Value >> 18, change);
    }

    private static void Count(Dictionary<ulong, int> counts, ulong range, int change)
    {
        int count = counts.GetValueOrDefault(range) + change;
        if (count == 0)
            counts.Remove(range);
        else
            counts[range] = count;
    }
}
