using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Tests.Paging;

/// <summary>A small host with guest tables and, where asked for, EPT, and an MMU over them.</summary>
/// <remarks>Guest-physical g lies at host-physical g + <see cref="EptOffset"/> when nested, so that confusing the two shows.</remarks>
internal sealed class World : IDisposable
{
    /// <summary>Where guest-physical 0 lies when nested.</summary>
    public const ulong EptOffset = 64 << 20;

    public const ulong GuestBytes = 64 << 20;

    private readonly List<IDisposable> _owned = [];
    private ulong _nextGuestTable = 0x10_0000;
    private ulong _nextEptTable = 0x20_0000 - 0x10_0000;

    public World(bool nested = false, PageSize eptPage = PageSize.Size4K, ulong bytes = 192 << 20)
    {
        Memory = new HostMemory(bytes, BackingPages.Small);
        IsNested = nested;
        Root = NewGuestTable();
        if (nested)
        {
            EptRoot = NewEptTable();
            for (ulong at = 0; at < (eptPage == PageSize.Size1G ? 1UL : GuestBytes); at += eptPage.Bytes())
                MapEpt(at, eptPage == PageSize.Size1G ? at : at + EptOffset, eptPage, EptEntry.Rights);
            HostOffset = eptPage == PageSize.Size1G ? 0 : EptOffset;
        }
    }

    public HostMemory Memory { get; }

    public bool IsNested { get; }

    public ulong Root { get; private set; }

    public ulong EptRoot { get; }

    public ulong HostOffset { get; }

    public PagingContext Context => new()
    {
        Cr0 = Cr0.ProtectionEnable | Cr0.Paging | Cr0.WriteProtect,
        Cr3 = Root,
        Cr4 = Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable,
        Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        Eptp = IsNested ? EptRoot | EptPointer.FourLevels | EptPointer.WriteBack : 0,
        Vpid = IsNested ? (ushort)1 : (ushort)0,
    };

    /// <summary>Makes an MMU in this world's context.</summary>
    public Mmu<TPolicy> Mmu<TPolicy>(MmuConfiguration configuration, TPolicy policy, PagingContext? context = null)
        where TPolicy : struct, IExecutionPolicy
    {
        var mmu = new Mmu<TPolicy>(Memory, configuration, policy);
        mmu.SetContext(context ?? Context);
        _owned.Add(mmu);
        return mmu;
    }

    public Mmu<Unobserved> Mmu(MmuConfiguration configuration, PagingContext? context = null) => Mmu(configuration, default(Unobserved), context);

    public ulong NewGuestTable()
    {
        ulong table = _nextGuestTable;
        _nextGuestTable += 4096;
        return table;
    }

    public ulong NewEptTable()
    {
        _nextEptTable += 4096;
        return Memory.LowTop.Value - _nextEptTable;
    }

    /// <summary>Maps a page of linear space to guest-physical space. Table entries get P, R/W and U/S; <paramref name="flags"/> are the leaf's.</summary>
    public void Map(ulong linear, ulong guestPhysical, PageSize size, ulong flags, ulong? root = null)
    {
        ulong table = root ?? Root;
        for (int level = 4; level > (int)size + 1; level--)
        {
            ulong entryAt = Host(table + Index(linear, level));
            ulong entry = Memory.Read<ulong>(new HostPhysicalAddress(entryAt));
            if (entry == 0)
            {
                entry = NewGuestTable() | PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;
                Memory.Write(new HostPhysicalAddress(entryAt), entry);
            }

            table = entry & PagingEntry.AddressMask;
        }

        ulong large = size == PageSize.Size4K ? 0 : PagingEntry.PageSizeBit;
        Memory.Write(new HostPhysicalAddress(Host(table + Index(linear, (int)size + 1))), guestPhysical | flags | large);
    }

    /// <summary>Maps a guest-physical page to host-physical space.</summary>
    public void MapEpt(ulong guestPhysical, ulong host, PageSize size, ulong flags)
    {
        ulong table = EptRoot;
        for (int level = 4; level > (int)size + 1; level--)
        {
            ulong entry = Memory.Read<ulong>(new HostPhysicalAddress(table + Index(guestPhysical, level)));
            if (entry == 0)
            {
                entry = NewEptTable() | EptEntry.Rights;
                Memory.Write(new HostPhysicalAddress(table + Index(guestPhysical, level)), entry);
            }

            table = entry & PagingEntry.AddressMask;
        }

        ulong large = size == PageSize.Size4K ? 0 : EptEntry.PageSizeBit;
        Memory.Write(new HostPhysicalAddress(table + Index(guestPhysical, (int)size + 1)), host | flags | large | EptEntry.MemoryTypeWriteBack);
    }

    /// <summary>The host-physical address of the guest's entry of a level for a linear address.</summary>
    public HostPhysicalAddress Entry(ulong linear, int level, ulong? root = null)
    {
        ulong table = root ?? Root;
        for (int above = 4; above > level; above--)
            table = Memory.Read<ulong>(new HostPhysicalAddress(Host(table + Index(linear, above)))) & PagingEntry.AddressMask;
        return new HostPhysicalAddress(Host(table + Index(linear, level)));
    }

    /// <summary>The host-physical address of the EPT entry of a level for a guest-physical address.</summary>
    public HostPhysicalAddress EptEntryAt(ulong guestPhysical, int level)
    {
        ulong table = EptRoot;
        for (int above = 4; above > level; above--)
            table = Memory.Read<ulong>(new HostPhysicalAddress(table + Index(guestPhysical, above))) & PagingEntry.AddressMask;
        return new HostPhysicalAddress(table + Index(guestPhysical, level));
    }

    public ulong Read(HostPhysicalAddress entry) => Memory.Read<ulong>(entry);

    public void Change(HostPhysicalAddress entry, ulong clear, ulong set) => Memory.Write(entry, (Memory.Read<ulong>(entry) & ~clear) | set);

    /// <summary>Where a guest-physical address lies in the host.</summary>
    public ulong Host(ulong guestPhysical) => guestPhysical + (IsNested ? HostOffset : 0);

    public void Dispose()
    {
        foreach (IDisposable owned in _owned)
            owned.Dispose();
        Memory.Dispose();
    }

    private static ulong Index(ulong address, int level) => (address >> (9 * level)) & 0xFF8;
}
