using Mmu86.Loaders;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>How an attempt to give a guest a page ended.</summary>
public enum PopulateResult
{
    /// <summary>The page is mapped.</summary>
    Mapped,

    /// <summary>The address is not RAM of the guest.</summary>
    NotRam,

    /// <summary>The host has no frame left.</summary>
    HostMemoryExhausted,
}

/// <summary>One guest's memory below EPT: the only writer of its EPT (accessed and dirty flags are the walker's).</summary>
/// <remarks>A page gets its frames when it is first touched: on an EPT violation, or when a loader writes it. SDM 3, "EPT Translation Mechanism".</remarks>
public sealed class GuestMemoryManager : IGuestPhysicalMemory
{
    private const int RootLevel = 4;

    private readonly HostMemory _host;
    private readonly HostFrameAllocator _frames;
    private readonly GuestPhysicalLayout _layout;
    private readonly PageSize _pageSize;
    private readonly HostPhysicalAddress _root;

    /// <summary>Makes an empty EPT: its root table.</summary>
    /// <param name="host">The RAM of the host.</param>
    /// <param name="frames">Where frames come from.</param>
    /// <param name="sizeInBytes">Guest memory in bytes, the device hole not counted.</param>
    /// <param name="pageSize">The size of every EPT page.</param>
    /// <exception cref="InvalidOperationException">The host has no frame for the root.</exception>
    public GuestMemoryManager(HostMemory host, HostFrameAllocator frames, ulong sizeInBytes, PageSize pageSize)
    {
        _host = host;
        _frames = frames;
        _layout = new GuestPhysicalLayout(sizeInBytes);
        _pageSize = pageSize;
        if (!frames.TryTake(PageSize.Size4K, out _root))
            throw new InvalidOperationException("The host has no frame left for the root of EPT.");
    }

    /// <inheritdoc/>
    public ulong SizeInBytes => _layout.SizeInBytes;

    /// <summary>The EPT pointer: write-back, a walk of four levels, no accessed and dirty flags. SDM 3, "Extended-Page-Table Pointer (EPTP)".</summary>
    public ulong Eptp => _root.Value | (3 << 3) | 6;

    /// <summary>Frames of 4 KiB that the guest has, tables not counted.</summary>
    public ulong GuestFramesMapped { get; private set; }

    /// <summary>Frames of 4 KiB that EPT itself takes.</summary>
    public ulong TableFrames { get; private set; } = 1;

    /// <summary>Gives the guest the page that holds an address, if it has none yet.</summary>
    public PopulateResult Populate(GuestPhysicalAddress address)
    {
        if (!_layout.IsRam(address, 1))
            return PopulateResult.NotRam;
        HostPhysicalAddress table = _root;
        int leafLevel = 1 + (int)_pageSize;
        for (int level = RootLevel; level > leafLevel; level--)
        {
            HostPhysicalAddress at = EntryAddress(table, address, level);
            ulong entry = _host.Read<ulong>(at);
            if ((entry & EptEntry.Rights) == 0)
            {
                if (!_frames.TryTake(PageSize.Size4K, out HostPhysicalAddress next))
                    return PopulateResult.HostMemoryExhausted;
                TableFrames++;
                entry = next.Value | EptEntry.Rights;
                _host.Write(at, entry);
            }

            table = new HostPhysicalAddress(entry & EptEntry.AddressMask);
        }

        HostPhysicalAddress leaf = EntryAddress(table, address, leafLevel);
        if ((_host.Read<ulong>(leaf) & EptEntry.Rights) != 0)
            return PopulateResult.Mapped;
        if (!_frames.TryTake(_pageSize, out HostPhysicalAddress page))
            return PopulateResult.HostMemoryExhausted;
        GuestFramesMapped += _pageSize.Bytes() >> 12;
        _host.Write(leaf, page.Value | EptEntry.Rights | EptEntry.MemoryTypeWriteBack | (_pageSize == PageSize.Size4K ? 0 : EptEntry.PageSizeBit));
        return PopulateResult.Mapped;
    }

    /// <summary>Where a guest-physical address is in the host.</summary>
    /// <returns>False where it is not populated.</returns>
    public bool TryTranslate(GuestPhysicalAddress address, out HostPhysicalAddress host)
    {
        HostPhysicalAddress table = _root;
        int leafLevel = 1 + (int)_pageSize;
        for (int level = RootLevel; level >= leafLevel; level--)
        {
            ulong entry = _host.Read<ulong>(EntryAddress(table, address, level));
            if ((entry & EptEntry.Rights) == 0)
            {
                host = default;
                return false;
            }

            table = new HostPhysicalAddress(entry & EptEntry.AddressMask);
        }

        host = new HostPhysicalAddress(table.Value + (address.Value & _pageSize.OffsetMask()));
        return true;
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
            _host.Write(PopulatedAddress(address), part);
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

    private HostPhysicalAddress PopulatedAddress(GuestPhysicalAddress address)
    {
        PopulateResult result = Populate(address);
        if (result == PopulateResult.HostMemoryExhausted)
            throw new HostMemoryExhaustedException();
        if (result == PopulateResult.NotRam || !TryTranslate(address, out HostPhysicalAddress host))
            throw new ArgumentOutOfRangeException(nameof(address), address, "Not RAM of the guest.");
        return host;
    }
}
