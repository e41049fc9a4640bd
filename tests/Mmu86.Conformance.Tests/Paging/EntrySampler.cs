using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Draws entries, controls and accesses: mostly plausible, so that walks go deep, and now and then absurd.</summary>
internal sealed class EntrySampler(Random random)
{
    private static readonly ulong[] s_pcids = [0, 1, 2, 0x18, 0x555, 0xFFF];

    /// <summary>True once in <paramref name="times"/>.</summary>
    public bool Once(int times) => random.Next(times) == 0;

    /// <summary>Flags of a guest entry; the caller adds the address and the page-size bit that belongs there.</summary>
    /// <param name="mode">The paging mode, which decides what is plausible.</param>
    public ulong GuestFlags(GuestPagingMode mode)
    {
        ulong flags = Bit(PagingEntry.Present, 0.98) | Bit(PagingEntry.Writable, 0.85) | Bit(PagingEntry.User, 0.8);
        flags |= Bit(PagingEntry.ExecuteDisable, 0.08);
        flags |= Bit(PagingEntry.Accessed, 0.5) | Bit(PagingEntry.Dirty, 0.5);
        if (Once(4))
            flags |= Bit(PagingEntry.Global, 0.5) | Bit(PagingEntry.PageWriteThrough, 0.5) | Bit(PagingEntry.PageCacheDisable, 0.5);
        // Bits 11:9 and 58:52 are for software, 62:59 are the protection key. PAE paging reserves those from 52 on.
        bool isLong = mode >= GuestPagingMode.FourLevel;
        if (Once(6))
            flags |= (ulong)random.NextInt64() & (isLong ? 0x07F0_0000_0000_0E00UL : 0xE00UL);
        if (isLong && Once(2))
            flags |= (ulong)random.Next(16) << PagingEntry.ProtectionKeyShift;
        // PAT, and in a PDE of 32-bit paging bits 39:32 of a frame.
        if (Once(12))
            flags |= 1UL << 12;
        if (mode == GuestPagingMode.Bits32 && Once(4))
            flags |= (ulong)random.Next(256) << 13;
        // Any bit at all, the page-size bit and the reserved ones among them.
        if (Once(50))
            flags |= 1UL << random.Next(64);
        if (Once(80))
            flags |= 1UL << random.Next(36, 52);
        if (Once(60))
            flags |= PagingEntry.PageSizeBit;
        return flags;
    }

    /// <summary>Flags of a guest entry that lets nearly everything through, for tests whose subject is EPT.</summary>
    public ulong LenientGuestFlags()
    {
        ulong flags = PagingEntry.Present | Bit(PagingEntry.Writable, 0.95) | Bit(PagingEntry.User, 0.9);
        flags |= Bit(PagingEntry.Accessed, 0.6) | Bit(PagingEntry.Dirty, 0.6) | Bit(PagingEntry.Global, 0.1);
        return Once(200) ? flags & ~PagingEntry.Present : flags;
    }

    /// <summary>Flags of an EPT entry.</summary>
    /// <param name="mapsPage">Whether it maps a page and so has a memory type.</param>
    public ulong EptFlags(bool mapsPage)
    {
        ulong flags = Bit(EptEntry.Read, 0.995) | Bit(EptEntry.Write, 0.98) | Bit(EptEntry.Execute, 0.98);
        flags |= Bit(EptEntry.Accessed, 0.5) | Bit(EptEntry.Dirty, 0.5);
        if (mapsPage)
            flags |= Once(50) ? (ulong)random.Next(8) << 3 : EptEntry.MemoryTypeWriteBack;
        if (mapsPage && Once(8))
            flags |= EptEntry.IgnorePat;
        // Bits 11:10 and 63:52 are ignored.
        if (Once(8))
            flags |= (ulong)random.NextInt64() << 1 & 0xFFF0_0000_0000_0C00;
        if (Once(200))
            flags |= 1UL << random.Next(64);
        if (Once(200))
            flags &= ~EptEntry.Rights;
        return flags;
    }

    /// <summary>Flags of an entry of AMD's nested tables.</summary>
    /// <param name="mapsPage">Whether it maps a page, where bits of its own have meaning.</param>
    public ulong NptFlags(bool mapsPage)
    {
        ulong flags = Bit(PagingEntry.Present, 0.995) | Bit(PagingEntry.Writable, 0.985) | Bit(PagingEntry.User, 0.985);
        flags |= Bit(PagingEntry.Accessed, 0.5) | Bit(PagingEntry.Dirty, 0.5) | Bit(PagingEntry.ExecuteDisable, 0.01);
        if (mapsPage && Once(4))
            flags |= Bit(PagingEntry.Global, 0.5) | Bit(PagingEntry.PageWriteThrough, 0.5) | Bit(PagingEntry.PageCacheDisable, 0.5);
        // Bits 11:9 and 62:52 are for software.
        if (Once(8))
            flags |= (ulong)random.NextInt64() & 0x7FF0_0000_0000_0E00;
        if (Once(200))
            flags |= 1UL << random.Next(64);
        return flags;
    }

    /// <summary>A page size, small ones more often, 1 GiB seldom where it is not supported.</summary>
    public PageSize PageSize(bool hasPage1G) => random.Next(10) switch
    {
        0 or 1 when hasPage1G || Once(10) => X86.PageSize.Size1G,
        2 or 3 => X86.PageSize.Size2M,
        _ => X86.PageSize.Size4K,
    };

    /// <summary>A page size of a paging mode; in 32-bit paging 4 MiB more often.</summary>
    public PageSize GuestPageSize(GuestPagingMode mode, bool hasPage1G) => mode switch
    {
        GuestPagingMode.Bits32 => Once(2) ? X86.PageSize.Size4M : X86.PageSize.Size4K,
        GuestPagingMode.Pae => Once(3) ? X86.PageSize.Size2M : X86.PageSize.Size4K,
        _ => PageSize(hasPage1G),
    };

    /// <summary>The address as an access may name it: now and then with bits set where metadata would be, or above 32 bits.</summary>
    public LinearAddress Address(LinearAddress address)
    {
        ulong metadata = (ulong)random.NextInt64() & 0x7FFF_8000_0000_0000;
        return random.Next(24) switch
        {
            0 => new LinearAddress(address.Value ^ metadata),
            1 => new LinearAddress(address.Value ^ (metadata & 0x7E00_0000_0000_0000)),
            2 => new LinearAddress(address.Value ^ (1UL << random.Next(47, 64))),
            _ => address,
        };
    }

    /// <summary>The size of an EPT page, seldom one that is not supported.</summary>
    public PageSize EptPageSize(ReferenceCapabilities capabilities)
    {
        PageSize size = PageSize(capabilities.HasEptPage1G);
        return size == X86.PageSize.Size2M && !capabilities.HasEptPage2M && !Once(10) ? X86.PageSize.Size4K : size;
    }

    /// <summary>Any kind of access.</summary>
    public AccessKind Kind() => (AccessKind)random.Next(3);

    /// <summary>Any mode of access.</summary>
    public AccessMode Mode() => (AccessMode)random.Next(4);

    /// <summary>A context of the world's paging mode with any controls.</summary>
    /// <param name="world">Its tables.</param>
    /// <param name="eptp">The EPT pointer, accessed and dirty flags included, or 0.</param>
    public PagingContext Context(WalkWorld world, ulong eptp)
    {
        bool isLong = world.Mode >= GuestPagingMode.FourLevel;
        bool usesPcid = isLong && Once(3);
        ulong masks = isLong ? Bit(1UL << 61, 0.2) | Bit(1UL << 62, 0.2) : 0;
        PdpteRegisters pdptes = world.Pdptes;
        return new PagingContext
        {
            Cr0 = Cr0.ProtectionEnable | Cr0.Paging | Control(Cr0.WriteProtect),
            Cr3 = world.Root | masks | (usesPcid ? s_pcids[random.Next(s_pcids.Length)] : (ulong)random.Next(4) << 3),
            Cr4 = (world.Mode == GuestPagingMode.Bits32 ? 0 : Cr4.PhysicalAddressExtension)
                | (world.Mode == GuestPagingMode.FiveLevel ? Cr4.LinearAddress57 : isLong ? 0 : Control(Cr4.LinearAddress57))
                | (usesPcid ? Cr4.PcidEnable : 0) | Control(Cr4.PageGlobalEnable) | Control(Cr4.PageSizeExtensions)
                | Control(Cr4.Smep) | Control(Cr4.Smap) | Control(Cr4.ProtectionKeyEnable) | Control(Cr4.ProtectionKeySupervisor)
                | (Once(12) ? Cr4.LinearAddressSpaceSeparation : 0) | (Once(5) ? Cr4.LinearAddressMaskingSupervisor : 0),
            // XD is reserved while NXE=0: one case in four is enough of that.
            Efer = (isLong ? Efer.LongModeEnable | Efer.LongModeActive : 0) | (Once(4) ? 0 : Efer.NoExecuteEnable),
            Eptp = eptp,
            Vpid = (ushort)(eptp == 0 ? 0 : 1),
            Pdptes = Once(20) ? pdptes with { Second = pdptes.Second & ~1UL } : pdptes with { Second = pdptes.Second | ((ulong)random.Next(4) << 3) },
            Pkru = Denials(),
            Pkrs = Denials(),
        };
    }

    /// <summary>The same context with other values of the controls that act on cached translations too (T20).</summary>
    public PagingContext Reconsider(PagingContext context) => context with
    {
        Cr0 = context.Cr0 ^ Control(Cr0.WriteProtect),
        Cr4 = context.Cr4 ^ (Control(Cr4.Smap) | Control(Cr4.ProtectionKeyEnable) | Control(Cr4.ProtectionKeySupervisor)),
        Pkru = Once(2) ? context.Pkru : Denials(),
        Pkrs = Once(2) ? context.Pkrs : Denials(),
    };

    // Two bits for each of sixteen keys: often nothing is denied, and each key less often than not.
    private uint Denials() => Once(2) ? 0 : (uint)random.NextInt64() & (uint)random.NextInt64() & (uint)random.NextInt64();

    private T Control<T>(T control)
        where T : struct, Enum => Once(2) ? control : default;

    private ulong Bit(ulong bit, double probability) => random.NextDouble() < probability ? bit : 0;
}
