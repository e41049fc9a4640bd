using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>The names of a machine below nested paging: a frame of the guest's is called by its guest-physical address, a nested table by its place among the tables.</summary>
/// <remarks>
/// <code>
/// 51      50  49..48     47..12
/// table   0   level - 1  guest-physical address, or the first one that the table translates
/// </code>
/// Addresses in the device hole, where no RAM is on either side, are their own names. Made from the tables as they are; worthless when these have changed.
/// </remarks>
internal sealed class NestedAddresses : IHostAddressNames
{
    private const ulong TableName = 1UL << 51;
    private const int LevelShift = 48;
    private const ulong GuestMask = (1UL << LevelShift) - 1;

    private readonly Dictionary<ulong, ulong> _names = [];
    private readonly Dictionary<ulong, ulong> _tables = [];
    private readonly HostMemory _host;
    private readonly GuestMemoryManager _memory;

    /// <summary>Makes the names of a machine.</summary>
    /// <param name="host">RAM of the host.</param>
    /// <param name="memory">Whose addresses they are.</param>
    /// <param name="areUnchanged">As <see cref="IHostAddressNames.AreUnchanged"/>.</param>
    public NestedAddresses(HostMemory host, GuestMemoryManager memory, bool areUnchanged)
    {
        _host = host;
        _memory = memory;
        AreUnchanged = areUnchanged;
    }

    /// <inheritdoc/>
    public bool AreUnchanged { get; }

    /// <summary>A table has a place.</summary>
    public void AddTable(HostPhysicalAddress table, int level, ulong firstGuest)
    {
        ulong name = TableName | ((ulong)(level - 1) << LevelShift) | firstGuest;
        _names[table.Value] = name;
        _tables[name] = table.Value;
    }

    /// <summary>A page is mapped: of frames that several guest frames share the first gives the name.</summary>
    public void AddPage(HostPhysicalAddress page, ulong guest) => _names.TryAdd(page.Value, guest);

    /// <inheritdoc/>
    public bool TryName(ulong address, out ulong name)
    {
        name = address;
        if (!_host.IsRam(new HostPhysicalAddress(address)))
            return IsHole(address);
        if (_names.TryGetValue(address, out name))
            return true;
        for (PageSize size = PageSize.Size2M; size <= PageSize.Size1G; size++)
        {
            if (!_names.TryGetValue(address & ~size.OffsetMask(), out name) || (name & TableName) != 0 || !IsWithin(name, address, size))
                continue;
            name |= address & size.OffsetMask();
            return true;
        }

        return false;
    }

    /// <inheritdoc/>
    public bool TryResolve(ulong name, out ulong address)
    {
        address = name;
        if ((name & TableName) != 0)
            return _tables.TryGetValue(name, out address);
        if (IsHole(name))
            return true;
        if ((name & ~GuestMask) != 0 || !_memory.TryTranslate(new GuestPhysicalAddress(name), out HostPhysicalAddress host))
            return false;
        address = host.Value;
        return true;
    }

    private static bool IsHole(ulong address) => address is >= HostMemory.HoleStart and < HostMemory.HoleEnd;

    // A 4 KiB page at an address that is a multiple of more is no large page.
    private bool IsWithin(ulong guest, ulong address, PageSize size) =>
        _memory.TryTranslate(new GuestPhysicalAddress(guest | (address & size.OffsetMask())), out HostPhysicalAddress host) && host.Value == address;
}
