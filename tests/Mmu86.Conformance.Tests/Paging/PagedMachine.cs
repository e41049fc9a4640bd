using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>An MMU with page tables to change under it. Native unless it is given EPT.</summary>
internal sealed class PagedMachine : IDisposable
{
    /// <summary>Flags of an ordinary page: present, writable, user, used and written before.</summary>
    public const ulong Page = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User | PagingEntry.Accessed | PagingEntry.Dirty;

    /// <summary>Rights and memory type of an ordinary EPT page.</summary>
    public const ulong EptPage = EptEntry.Rights | EptEntry.MemoryTypeWriteBack;

    private readonly FrameAllocator _frames = new(new HostFrameNumber(0x100), 256);

    /// <summary>Makes a machine with empty tables.</summary>
    public PagedMachine(MmuConfiguration configuration)
    {
        Mmu = MmuUnderTest.Create(configuration, Memory);
        Tables = NewTables();
        Use(Tables, pcid: 0);
    }

    /// <summary>16 MiB; tables lie from 1 MiB on.</summary>
    public HostMemory Memory { get; } = new(16 << 20, BackingPages.Small);

    /// <summary>The MMU.</summary>
    public IMmu Mmu { get; }

    /// <summary>The tables in force from the start.</summary>
    public PageTableBuilder Tables { get; }

    /// <summary>The machines on which every rule of invalidation must show, by the names that <see cref="Named"/> knows.</summary>
    public static Xunit.TheoryData<string> Machines => ["ideal", "two-level", "only-4k"];

    /// <summary>A machine by name.</summary>
    public static PagedMachine Named(string name) => new(name switch
    {
        "ideal" => TestMmuConfigurations.Ideal(),
        // What leaves the first level at once is still in the second: an invalidation must reach both.
        "two-level" => TestMmuConfigurations.Ideal() with
        {
            L1Instruction = TestMmuConfigurations.Level(Array("l1i", 1, 1)),
            L1Data = TestMmuConfigurations.Level(Array("l1d", 1, 2)),
            L2 = TestMmuConfigurations.Level(Array("l2", 0, 0)),
        },
        // Large pages are cached as fragments, which one invalidation must all remove.
        "only-4k" => TestMmuConfigurations.Ideal() with
        {
            L1Instruction = TestMmuConfigurations.Level(TestMmuConfigurations.Array("l1i", 0, 0, IndexHash.Linear, Replacement.Lru, "4k")),
            L1Data = TestMmuConfigurations.Level(TestMmuConfigurations.Array("l1d", 0, 0, IndexHash.Linear, Replacement.Lru, "4k")),
        },
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    });

    /// <summary>Another set of tables in the same memory.</summary>
    public PageTableBuilder NewTables() => new(Memory, _frames, guestBase: new(0));

    /// <summary>An EPT in the same memory.</summary>
    public EptBuilder NewEpt() => new(Memory, _frames);

    /// <summary>A fresh frame, for a table that a test makes by hand.</summary>
    public HostFrameNumber NewFrame()
    {
        HostFrameNumber frame = _frames.Allocate();
        Memory.Clear(frame.Address, 4096);
        return frame;
    }

    /// <summary>Puts tables in force under a PCID. Invalidates nothing.</summary>
    public void Use(PageTableBuilder tables, ushort pcid) => Mmu.SetContext(Context(tables, pcid));

    /// <summary>Puts tables in force above an EPT. Invalidates nothing.</summary>
    public void Use(PageTableBuilder tables, ushort pcid, ulong eptp, ushort vpid) =>
        Mmu.SetContext(Context(tables, pcid) with { Eptp = eptp, Vpid = vpid });

    /// <summary>A context with PCIDs, global pages, WP and NXE on.</summary>
    public static PagingContext Context(PageTableBuilder tables, ushort pcid) => new()
    {
        Cr0 = Cr0.ProtectionEnable | Cr0.Paging | Cr0.WriteProtect,
        Cr3 = tables.Root.Value | pcid,
        Cr4 = Cr4.PhysicalAddressExtension | Cr4.PcidEnable | Cr4.PageGlobalEnable,
        Efer = Efer.LongModeEnable | Efer.LongModeActive | Efer.NoExecuteEnable,
        Eptp = 0,
        Vpid = 0,
    };

    /// <summary>Maps an ordinary page.</summary>
    public void Map(ulong linear, ulong target, PageSize size = PageSize.Size4K, ulong flags = Page) => Tables.Map(new(linear), new(target), size, flags);

    /// <summary>Where an access goes; null where it faults.</summary>
    public ulong? Access(ulong linear, AccessKind kind = AccessKind.Read) =>
        Mmu.TryTranslate(new(linear), kind, AccessMode.Supervisor, out Translation translation) ? translation.Address.Value : null;

    /// <inheritdoc/>
    public void Dispose() => Memory.Dispose();

    private static TlbArrayConfiguration Array(string name, int sets, int ways) =>
        TestMmuConfigurations.Array(name, sets, ways, IndexHash.Linear, Replacement.Lru, "4k", "2m", "1g");
}
