using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Tests.Paging;

/// <summary>A world with pages of every kind, two address spaces, and a list of things that may happen to it.</summary>
/// <remarks>Made and changed from a seed, so that two of them driven alike stay alike.</remarks>
internal sealed class FuzzWorld : IDisposable
{
    // Most accesses go to the first pages of the list after the one in focus.
    private readonly PageMix _mix;

    private const ulong UserPage = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;

    private readonly List<(ulong Linear, PageSize Size)> _pages = [];
    private readonly ulong _secondRoot;

    public FuzzWorld(bool nested, PageSize eptPage, PageMix mix, int seed)
    {
        _mix = mix;
        IsEptSmall = nested && eptPage == PageSize.Size4K;
        World = new World(nested, eptPage);
        _secondRoot = World.NewGuestTable();
        var random = new Random(seed);
        foreach (ulong root in new[] { World.Root, _secondRoot })
        {
            if (mix == PageMix.Runs)
                AddRuns(root, random);
            for (int i = 0; mix != PageMix.Runs && i < (mix == PageMix.MostlyLarge ? 8 : 96); i++)
                Add(root, 0x40_0000 + ((ulong)i << 12), 0x80_0000 + ((ulong)random.Next(512) << 12), PageSize.Size4K, Flags(random));
            // Far apart, to meet in sets and in slots of the filter.
            for (int i = 0; i < (mix == PageMix.MostlyLarge ? 4 : 24); i++)
                Add(root, 0x7000_0000_0000 + ((ulong)i << 20), 0x100_0000 + ((ulong)random.Next(512) << 12), PageSize.Size4K, Flags(random));
            for (int i = 0; i < 12; i++)
                Add(root, 0x1_0000_0000 + ((ulong)i << 21), (ulong)random.Next(2, 30) << 21, PageSize.Size2M, Flags(random));
            Add(root, 0xFFFF_8000_0000_0000, 0, PageSize.Size1G, Flags(random));
        }

        Contexts =
        [
            World.Context,
            World.Context with { Cr0 = World.Context.Cr0 & ~Cr0.WriteProtect },
            World.Context with { Cr4 = World.Context.Cr4 | Cr4.Smep | Cr4.Smap },
            World.Context with { Cr4 = World.Context.Cr4 | Cr4.PcidEnable, Cr3 = World.Root | 5 },
            World.Context with { Cr4 = World.Context.Cr4 | Cr4.PcidEnable, Cr3 = _secondRoot | 6 },
            World.Context with { Cr3 = _secondRoot },
            World.Context with { Eptp = nested ? World.Context.Eptp | EptPointer.AccessedAndDirty : 0 },
            World.Context with { Cr0 = Cr0.ProtectionEnable },
        ];
    }

    public World World { get; }

    /// <summary>Whether EPT maps small pages, which <see cref="ChangeEpt"/> changes.</summary>
    public bool IsEptSmall { get; }

    public PagingContext[] Contexts { get; }

    /// <summary>An address to access: mostly of a page that exists.</summary>
    public ulong Pick(Random random, ref int focus)
    {
        if (random.Next(100) == 0)
            return (ulong)random.NextInt64() & 0xFFFF_8000_0000_0FFF;
        if (random.Next(12) == 0)
            focus = random.Next(_pages.Count);
        (ulong linear, PageSize size) = _pages[(focus + (int)Math.Abs(random.NextDouble() * random.NextDouble() * random.NextDouble() * _pages.Count)) % _pages.Count];
        ulong range = size == PageSize.Size1G ? 48UL << 20 : size.Bytes();
        // Few 4 KiB units of a large page, so that their slots are met again.
        ulong unit = size == PageSize.Size4K ? 0 : (ulong)random.Next(4) * (range / 4);
        return linear + unit + ((ulong)random.Next(512) << 3);
    }

    /// <summary>The guest changes an entry that maps a page, or forgets to.</summary>
    public ulong ChangeTables(Random random, PagingContext context, int focus)
    {
        (ulong linear, PageSize size) = _pages[(focus + random.Next(8)) % _pages.Count];
        HostPhysicalAddress entry = World.Entry(linear, (int)size + 1, context.Cr3 & PagingEntry.AddressMask);
        ulong bit = random.Next(8) switch
        {
            0 => PagingEntry.Present,
            1 => PagingEntry.Writable,
            2 => PagingEntry.User,
            3 => PagingEntry.Accessed,
            4 => PagingEntry.Dirty,
            5 => PagingEntry.Global,
            6 => 1UL << (size == PageSize.Size1G ? 0 : size.Shift()),
            _ => PagingEntry.ExecuteDisable,
        };
        World.Memory.Write(entry, World.Memory.Read<ulong>(entry) ^ bit);
        return linear;
    }

    /// <summary>The guest makes a page present again after a fault.</summary>
    public void Repair(ulong linear, PagingContext context)
    {
        foreach ((ulong page, PageSize size) in _pages)
        {
            if ((linear ^ page) >> size.Shift() == 0)
                World.Change(World.Entry(page, (int)size + 1, context.Cr3 & PagingEntry.AddressMask), PagingEntry.ExecuteDisable, UserPage);
        }
    }

    /// <summary>A 2 MiB page gives way to a table of small ones, or the other way round.</summary>
    public ulong ChangeSize(Random random, PagingContext context)
    {
        ulong linear = 0x1_0000_0000 + ((ulong)random.Next(_mix == PageMix.MostlyLarge ? 12 : 4) << 21);
        HostPhysicalAddress entry = World.Entry(linear, 2, context.Cr3 & PagingEntry.AddressMask);
        ulong value = World.Memory.Read<ulong>(entry);
        if ((value & PagingEntry.PageSizeBit) == 0)
        {
            World.Memory.Write(entry, ((ulong)random.Next(2, 30) << 21) | UserPage | PagingEntry.PageSizeBit);
            return linear;
        }

        ulong table = World.NewGuestTable();
        for (ulong i = 0; i < 512; i++)
            World.Memory.Write(new HostPhysicalAddress(World.Host(table + (i * 8))), (0x100_0000 + (i << 12)) | UserPage | (i % 3 == 0 ? PagingEntry.Global : 0));
        World.Memory.Write(entry, table | UserPage);
        return linear;
    }

    /// <summary>The host changes what it maps for a guest-physical page.</summary>
    public void ChangeEpt(Random random)
    {
        ulong guestPhysical = 0x80_0000 + ((ulong)random.Next(512) << 12);
        HostPhysicalAddress entry = World.EptEntryAt(guestPhysical, 1);
        ulong value = World.Memory.Read<ulong>(entry) & ~EptEntry.Rights;
        World.Memory.Write(entry, value | random.Next(5) switch { 0 => EptEntry.Read, 1 => EptEntry.Read | EptEntry.Execute, _ => EptEntry.Rights });
    }

    public void RepairEpt(ulong guestPhysical)
    {
        if (guestPhysical < World.GuestBytes)
            World.Change(World.EptEntryAt(guestPhysical, 1), 0, EptEntry.Rights);
    }

    public HostFrameNumber Frame(Random random) => new(World.Host(0x80_0000 + ((ulong)random.Next(512) << 12)) >> 12);

    /// <summary>Whether guest tables and EPT's tables are those of a world of the same shape. The pages themselves nobody writes.</summary>
    public bool HasTheTablesOf(FuzzWorld other)
    {
        foreach ((ulong from, ulong to) in new[] { (World.Host(0x10_0000), World.Host(0x20_0000)), (World.Memory.LowTop.Value - 0x20_0000, World.Memory.LowTop.Value) })
        {
            for (ulong frame = from >> 12; frame < to >> 12; frame++)
            {
                if (!World.Memory.Frame(new HostFrameNumber(frame)).SequenceEqual(other.World.Memory.Frame(new HostFrameNumber(frame))))
                    return false;
            }
        }

        return true;
    }

    public void Dispose() => World.Dispose();

    // Aligned runs of 16 pages. One page in forty has other flags than its run, one in forty another frame.
    private void AddRuns(ulong root, Random random)
    {
        for (int run = 0; run < 6; run++)
        {
            ulong common = Flags(random);
            ulong frames = 0x80_0000 + ((ulong)random.Next(32) << 16);
            for (int i = 0; i < 16; i++)
            {
                ulong frame = random.Next(40) == 0 ? 0x80_0000 + ((ulong)random.Next(512) << 12) : frames + ((ulong)i << 12);
                Add(root, 0x40_0000 + ((ulong)((16 * run) + i) << 12), frame, PageSize.Size4K, random.Next(40) == 0 ? Flags(random) : common);
            }
        }
    }

    private void Add(ulong root, ulong linear, ulong guestPhysical, PageSize size, ulong flags)
    {
        World.Map(linear, guestPhysical, size, flags, root);
        if (root == World.Root)
            _pages.Add((linear, size));
    }

    private static ulong Flags(Random random)
    {
        ulong flags = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;
        if (random.Next(8) == 0)
            flags &= ~PagingEntry.Writable;
        if (random.Next(4) == 0)
            flags &= ~PagingEntry.User;
        if (random.Next(8) == 0)
            flags |= PagingEntry.ExecuteDisable;
        if (random.Next(4) == 0)
            flags |= PagingEntry.Global;
        if (random.Next(2) == 0)
            flags |= PagingEntry.Dirty;
        return flags;
    }
}
