using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>A <see cref="WalkWorld"/> with a fifth level of nested tables, a page-modification log and sub-page-permission tables.</summary>
internal sealed class NestedFeatureWorld : IDisposable
{
    /// <summary>The log, in a frame that holds nothing else.</summary>
    public static readonly HostPhysicalAddress Log = new(0x21_0000);

    /// <summary>The virtualization-exception information.</summary>
    public static readonly HostPhysicalAddress ExceptionArea = new(0x21_1000);

    private const ulong FifthLevel = 0x20_0000;

    /// <summary>The top sub-page-permission table; the three below it follow.</summary>
    public static readonly HostPhysicalAddress SubPages = new(0x20_1000);

    /// <summary>The linear address below 4 GiB: the guest-physical address while CR0.PG=0.</summary>
    private const ulong Low = 0x40C3_4AB8;

    /// <summary>The world below it all.</summary>
    public WalkWorld Walk { get; } = WalkWorld.Nested();

    /// <summary>Memory.</summary>
    public HostMemory Memory => Walk.Memory;

    /// <summary>Every frame that an access may change, and those that it may not, the log excepted.</summary>
    public IEnumerable<HostFrameNumber> Tables =>
        Walk.Tables.Concat(Enumerable.Range(0, 5).Select(index => new HostFrameNumber((FifthLevel >> 12) + (ulong)index)));

    /// <summary>The top table of five levels.</summary>
    public ulong FiveLevelRoot => FifthLevel;

    /// <summary>The top table of four levels.</summary>
    public ulong FourLevelRoot => Walk.Eptp & EptPointer.AddressMask;

    /// <summary>Writes the entry of the fifth level, which all guest-physical addresses here share.</summary>
    public void WriteFifth(ulong flags) => Memory.Write(new HostPhysicalAddress(FifthLevel), FourLevelRoot | flags);

    /// <summary>HLATP: hypervisor-managed tables in the same pages as the guest's, each one level lower. Indexes differ, so no entry is both.</summary>
    public ulong HlatPointer => Walk.GuestPage(HlatPage(4)).Value;

    /// <summary>Writes an entry of the hypervisor-managed tables.</summary>
    /// <param name="level">4 to 1.</param>
    /// <param name="size">The size of the page that they map.</param>
    /// <param name="flags">All but the address.</param>
    public void WriteHlat(int level, PageSize size, ulong flags)
    {
        ulong index = (Walk.Address.Value >> (3 + (9 * level))) & 0x1FF;
        ulong pointer = level == PageTableBuilder.LevelOf(size) ? Walk.GuestPointer(level, size) : level == 1 ? 0 : Walk.GuestPage(HlatPage(level - 1)).Value;
        Memory.Write(new HostPhysicalAddress((Walk.GuestEntry(HlatPage(level)).Value & ~0xFFFUL) + (index * 8)), pointer | flags);
    }

    private static int HlatPage(int level) => level == 1 ? 4 : level - 1;

    /// <summary>Writes an entry of the sub-page-permission tables for the accessed page: the next table's address is added above level 1.</summary>
    public void WriteSubPages(int level, ulong flags)
    {
        ulong table = SubPages.Value + ((ulong)(4 - level) << 12);
        ulong index = (Walk.FinalAddress.Value >> (3 + (9 * level))) & 0x1FF;
        Memory.Write(new HostPhysicalAddress(table + (index * 8)), flags | (level > 1 ? table + 0x1000 : 0));
    }

    /// <summary>Maps the accessed page also where it lies without paging: by copies of its upper two entries.</summary>
    public void MapWithoutPaging()
    {
        HostPhysicalAddress fourth = Walk.EptEntryAddress(WalkWorld.FinalPage, 4);
        HostPhysicalAddress third = Walk.EptEntryAddress(WalkWorld.FinalPage, 3);
        Memory.Write(new HostPhysicalAddress(fourth.Value & ~0xFFFUL), Memory.Read<ulong>(fourth));
        Memory.Write(new HostPhysicalAddress((third.Value & ~0xFFFUL) + ((Low >> 30) * 8)), Memory.Read<ulong>(third));
    }

    /// <inheritdoc/>
    public void Dispose() => Walk.Dispose();
}
