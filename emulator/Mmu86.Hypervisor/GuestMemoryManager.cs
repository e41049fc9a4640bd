using Mmu86.Loaders;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>One guest's memory below nested paging: the only writer of its nested tables (accessed and dirty flags are the walker's).</summary>
/// <remarks>
/// A page gets its frames when it is first touched: on an EPT violation (NPT: a nested page fault), or when a loader writes it. RAM is mapped with the largest
/// page up to the configured size that is RAM throughout. Guest-physical addresses that are no RAM lead to host-physical addresses
/// that are none either, so that an access there ends at the device bus as it does without. SDM 3, "EPT Translation Mechanism"; APM 2, "Nested Paging".
/// </remarks>
public sealed class GuestMemoryManager : IGuestPhysicalMemory
{
    private const int RootLevel = 4;

    // The last frame of the device hole, where no device is: it stands for all addresses beyond the guest's memory.
    private const ulong VoidFrame = HostMemory.HoleEnd - 4096;

    // Four levels translate 48 bits.
    private const ulong GuestPhysicalEnd = 1UL << 48;

    private readonly HostMemory _host;
    private readonly HostFrameAllocator _frames;
    private readonly GuestPhysicalLayout _layout;
    private readonly PageSize _largestPage;
    private readonly NestedEntryFormat _format;
    private readonly HostPhysicalAddress _root;

    /// <summary>Makes empty nested tables: their root.</summary>
    /// <param name="host">The RAM of the host.</param>
    /// <param name="frames">Where frames come from.</param>
    /// <param name="options">How much memory, and by which tables.</param>
    /// <exception cref="HostMemoryExhaustedException">The host has no frame for the root.</exception>
    public GuestMemoryManager(HostMemory host, HostFrameAllocator frames, GuestMemoryOptions options)
    {
        _host = host;
        _frames = frames;
        _layout = new GuestPhysicalLayout(options.SizeInBytes);
        _largestPage = options.PageSize;
        _format = NestedEntryFormat.Of(options.Format);
        if (!frames.TryTake(PageSize.Size4K, out _root))
            throw new HostMemoryExhaustedException();
    }

    /// <inheritdoc/>
    public ulong SizeInBytes => _layout.SizeInBytes;

    /// <summary>The root for the MMU's context: an EPT pointer (write-back, four levels, no accessed and dirty flags), or an <see cref="NptPointer"/>.</summary>
    public ulong Root => _root.Value | _format.RootFlags;

    /// <summary>Frames of 4 KiB of RAM that the guest has, tables not counted.</summary>
    public ulong GuestFramesMapped { get; private set; }

    /// <summary>Frames of 4 KiB that the nested tables themselves take.</summary>
    public ulong TableFrames { get; private set; } = 1;

    /// <summary>Maps the page that holds an address, if it is not mapped yet. A fresh page of RAM reads as zeros.</summary>
    /// <returns>False where the host has no frame left, or where no table of four levels reaches the address.</returns>
    public bool TryPopulate(GuestPhysicalAddress address)
    {
        if (address.Value >= GuestPhysicalEnd)
            return false;
        HostPhysicalAddress table = _root;
        PageSize size = LargestPageAt(address);
        int leafLevel = 1 + (int)size;
        for (int level = RootLevel; level > leafLevel; level--)
        {
            HostPhysicalAddress at = EntryAddress(table, address, level);
            ulong entry = _host.Read<ulong>(at);
            if ((entry & _format.PresentMask) == 0)
            {
                if (!_frames.TryTake(PageSize.Size4K, out HostPhysicalAddress next))
                    return false;
                TableFrames++;
                entry = next.Value | _format.Table;
                _host.Write(at, entry);
            }

            table = new HostPhysicalAddress(entry & EptEntry.AddressMask);
        }

        HostPhysicalAddress leaf = EntryAddress(table, address, leafLevel);
        return (_host.Read<ulong>(leaf) & _format.PresentMask) != 0 || TryWriteLeaf(leaf, address, size);
    }

    /// <summary>Where a guest-physical address is in the host.</summary>
    /// <returns>False where it is not populated.</returns>
    public bool TryTranslate(GuestPhysicalAddress address, out HostPhysicalAddress host)
    {
        host = default;
        if (address.Value >= GuestPhysicalEnd)
            return false;
        HostPhysicalAddress table = _root;
        for (int level = RootLevel; level >= 1; level--)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, address, level));
            if ((entry & _format.PresentMask) == 0)
                return false;
            table = new HostPhysicalAddress(entry & EptEntry.AddressMask);
            if (level > 1 && (entry & EptEntry.PageSizeBit) == 0)
                continue;
            host = new HostPhysicalAddress(table.Value + (address.Value & ((PageSize)(level - 1)).OffsetMask()));
            return true;
        }

        throw new System.Diagnostics.UnreachableException();
    }

    /// <inheritdoc/>
    public void Read(GuestPhysicalAddress address, Span<byte> destination)
    {
        while (destination.Length != 0)
        {
            Span<byte> part = destination[..BytesInFrame(address, destination.Length)];
            if (TryTranslate(address, out HostPhysicalAddress host))
                _host.Read(host, part);
            else
                part.Clear(); // memory never touched reads as zeros
            destination = destination[part.Length..];
            address = new GuestPhysicalAddress(address.Value + (ulong)part.Length);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="HostMemoryExhaustedException">The host has no frame left.</exception>
    public void Write(GuestPhysicalAddress address, ReadOnlySpan<byte> source)
    {
        while (source.Length != 0)
        {
            ReadOnlySpan<byte> part = source[..BytesInFrame(address, source.Length)];
            if (!TryPopulate(address) || !TryTranslate(address, out HostPhysicalAddress host))
                throw new HostMemoryExhaustedException();
            _host.Write(host, part);
            source = source[part.Length..];
            address = new GuestPhysicalAddress(address.Value + (ulong)part.Length);
        }
    }

    /// <inheritdoc/>
    public void Clear(GuestPhysicalAddress address, ulong length)
    {
        while (length != 0)
        {
            ulong part = Math.Min(length, 4096 - (address.Value & 0xFFF));

            // What was never touched is zero and stays untouched.
            if (TryTranslate(address, out HostPhysicalAddress host))
                _host.Clear(host, part);
            length -= part;
            address = new GuestPhysicalAddress(address.Value + part);
        }
    }

    private static int BytesInFrame(GuestPhysicalAddress address, int length) => Math.Min(length, 4096 - (int)(address.Value & 0xFFF));

    private static HostPhysicalAddress EntryAddress(HostPhysicalAddress table, GuestPhysicalAddress address, int level) =>
        new(table.Value + (((address.Value >> (12 + (9 * (level - 1)))) & 0x1FF) * sizeof(ulong)));

    private bool TryWriteLeaf(HostPhysicalAddress leaf, GuestPhysicalAddress address, PageSize size)
    {
        HostPhysicalAddress page;
        if (_layout.IsRam(address, 1))
        {
            if (!_frames.TryTake(size, out page))
                return false;
            GuestFramesMapped += size.Bytes() >> 12;
        }
        else
        {
            bool hole = address.Value >= HostMemory.HoleStart && address.Value < HostMemory.HoleEnd;
            page = new HostPhysicalAddress(hole ? address.Value & ~0xFFFUL : VoidFrame);
        }

        _host.Write(leaf, page.Value | _format.Page | (size == PageSize.Size4K ? 0 : EptEntry.PageSizeBit));
        return true;
    }

    private PageSize LargestPageAt(GuestPhysicalAddress address)
    {
        PageSize size = _largestPage;
        while (size != PageSize.Size4K && !_layout.IsRam(new GuestPhysicalAddress(address.Value & ~size.OffsetMask()), size.Bytes()))
            size--;
        return size;
    }
}
