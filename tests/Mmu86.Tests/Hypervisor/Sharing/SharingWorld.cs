using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Tests.Hypervisor.Sharing;

/// <summary>Machines whose pages are known, on a host that shares.</summary>
internal sealed class SharingWorld : IDisposable
{
    private const ulong Pages = 40;

    public SharingWorld(ulong hostMebibytes)
        : this(hostMebibytes, new PageContent(1))
    {
    }

    public SharingWorld(ulong hostMebibytes, IPageContent content)
    {
        Memory = new MemoryWorld(hostMebibytes << 20, new ZeroingScrubber());
        Memory.Sharing = new PageSharing(Memory.Host, PageSharingOptions.At(PageSharingOptions.DefaultPagesPerSecond, 1) with { Content = content });
    }

    public MemoryWorld Memory { get; }

    public PageSharing Sharing => Memory.Sharing!;

    public HostFrameAllocator Frames => Memory.Host.Frames;

    /// <summary>Adds a machine of 40 pages, each of zeros behind a first word.</summary>
    public VirtualMachine Add(NestedFormat format, Func<ulong, ulong> firstWord)
    {
        VirtualMachine machine = Memory.Add(1 << 20, PageSize.Size4K, format, null);
        for (ulong i = 0; i < Pages; i++)
            Write(machine.Memory, i, firstWord(i));
        return machine;
    }

    /// <summary>Looks at every page, and then at whether all is as it should be.</summary>
    public void Share()
    {
        Sharing.ScanAll(Memory.Machines);
        Memory.Check();
    }

    /// <summary>Where the entry of a small page is.</summary>
    public HostPhysicalAddress EntryOf(GuestMemoryManager memory, ulong frame)
    {
        ulong table = memory.Root & EptEntry.AddressMask;
        for (int shift = 27; ; shift -= 9)
        {
            var at = new HostPhysicalAddress(table + (((frame >> shift) & 0x1FF) * 8));
            if (shift == 0)
                return at;
            table = Memory.Host.Memory.Read<ulong>(at) & EptEntry.AddressMask;
        }
    }

    public static void Write(GuestMemoryManager memory, ulong frame, ulong firstWord) =>
        memory.Write(new GuestFrameNumber(frame).Address, BitConverter.GetBytes(firstWord));

    public static ulong Read(GuestMemoryManager memory, ulong frame)
    {
        Span<byte> bytes = stackalloc byte[8];
        memory.Read(new GuestFrameNumber(frame).Address, bytes);
        return BitConverter.ToUInt64(bytes);
    }

    public void Dispose() => Memory.Dispose();
}
