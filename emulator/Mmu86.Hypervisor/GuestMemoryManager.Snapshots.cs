using Mmu86.Hypervisor.Snapshots;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>What a saved state needs to know of the tables. Only while the machine does not run.</content>
public sealed partial class GuestMemoryManager
{
    /// <summary>What the host-physical addresses of the machine are called as the tables are now.</summary>
    public IHostAddressNames NameAddresses()
    {
        var names = new NestedAddresses(_host, this, areUnchanged: false);
        Name(_root, RootLevel, 0, names);
        return names;
    }

    private void Name(HostPhysicalAddress table, int level, ulong firstGuest, NestedAddresses names)
    {
        names.AddTable(table, level, firstGuest);
        int shift = 12 + (9 * (level - 1));
        for (int index = 0; index < EntriesOfTable; index++)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, index));
            ulong guest = firstGuest + ((ulong)index << shift);
            if (!IsPresent(entry))
                continue;
            if (!IsLeaf(entry, level))
                Name(Address(entry), level - 1, guest, names);
            else if (_host.IsRam(Address(entry)))
                names.AddPage(Address(entry), guest);
        }
    }
}
