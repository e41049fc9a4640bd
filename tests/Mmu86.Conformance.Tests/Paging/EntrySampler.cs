using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Draws entries, controls and accesses: mostly plausible, so that walks go deep, and now and then absurd.</summary>
internal sealed class EntrySampler(Random random)
{
    private static readonly ulong[] s_pcids = [0, 1, 2, 0x18, 0x555, 0xFFF];

    /// <summary>True once in <paramref name="times"/>.</summary>
    public bool Once(int times) => random.Next(times) == 0;

    /// <summary>Flags of a guest entry; the caller adds the address and the page-size bit that belongs there.</summary>
    public ulong GuestFlags()
    {
        ulong flags = Bit(PagingEntry.Present, 0.98) | Bit(PagingEntry.Writable, 0.85) | Bit(PagingEntry.User, 0.8);
        flags |= Bit(PagingEntry.ExecuteDisable, 0.08);
        flags |= Bit(PagingEntry.Accessed, 0.5) | Bit(PagingEntry.Dirty, 0.5);
        if (Once(4))
            flags |= Bit(PagingEntry.Global, 0.5) | Bit(PagingEntry.PageWriteThrough, 0.5) | Bit(PagingEntry.PageCacheDisable, 0.5);
        // Bits 11:9 and 62:52 are for software.
        if (Once(6))
            flags |= (ulong)random.NextInt64() & 0x7FF0_0000_0000_0E00;
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

    /// <summary>A page size, small ones more often, 1 GiB seldom where it is not supported.</summary>
    public PageSize PageSize(bool hasPage1G) => random.Next(10) switch
    {
        0 or 1 when hasPage1G || Once(10) => X86.PageSize.Size1G,
        2 or 3 => X86.PageSize.Size2M,
        _ => X86.PageSize.Size4K,
    };

    /// <summary>Any kind of access.</summary>
    public AccessKind Kind() => (AccessKind)random.Next(3);

    /// <summary>Any mode of access.</summary>
    public AccessMode Mode() => (AccessMode)random.Next(4);

    /// <summary>A 4-level paging context with any controls.</summary>
    /// <param name="root">What CR3 holds.</param>
    /// <param name="eptp">The EPT pointer, accessed and dirty flags included, or 0.</param>
    public PagingContext Context(ulong root, ulong eptp)
    {
        bool usesPcid = Once(3);
        return new PagingContext
        {
            Cr0 = Cr0.ProtectionEnable | Cr0.Paging | (Once(2) ? Cr0.WriteProtect : 0),
            Cr3 = root | (usesPcid ? s_pcids[random.Next(s_pcids.Length)] : (ulong)random.Next(4) << 3),
            Cr4 = Cr4.PhysicalAddressExtension | (usesPcid ? Cr4.PcidEnable : 0) | (Once(2) ? Cr4.PageGlobalEnable : 0)
                | (Once(2) ? Cr4.Smep : 0) | (Once(2) ? Cr4.Smap : 0),
            // XD is reserved while NXE=0: one case in four is enough of that.
            Efer = Efer.LongModeEnable | Efer.LongModeActive | (Once(4) ? 0 : Efer.NoExecuteEnable),
            Eptp = eptp,
            Vpid = (ushort)(eptp == 0 ? 0 : 1),
        };
    }

    /// <summary>The same context with other values of the controls that act on cached translations too (T20).</summary>
    public PagingContext Reconsider(PagingContext context) => context with
    {
        Cr0 = Once(2) ? context.Cr0 : context.Cr0 ^ Cr0.WriteProtect,
        Cr4 = Once(2) ? context.Cr4 : context.Cr4 ^ Cr4.Smap,
    };

    private ulong Bit(ulong bit, double probability) => random.NextDouble() < probability ? bit : 0;
}
