using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mmu86.X86;

namespace Mmu86.Memory;

/// <summary>The RAM of the emulated host, laid out as a PC's: RAM below 3 GiB, a hole for devices up to 4 GiB, the rest above.</summary>
/// <remarks>
/// The backing is one reservation of our address space in which host-physical address h is byte h, so a translation is one
/// addition. Pages are touched lazily: a machine of 64 GiB costs what its guest touches. Addresses outside RAM are never
/// dereferenced: every path that turns an address into a pointer asks <see cref="IsRam"/> first.
/// </remarks>
public sealed unsafe class HostMemory : IDisposable
{
    /// <summary>The first byte of the device hole.</summary>
    public const ulong HoleStart = 3UL << 30;

    /// <summary>The first byte above the device hole.</summary>
    public const ulong HoleEnd = 4UL << 30;

    /// <summary>The most RAM that one host may have, in bytes.</summary>
    public const ulong MaximumBytes = 1UL << 40;

    private readonly Reservation _ram;

    // The RAM again, where it is not another's.
    private readonly Reservation? _owned;
    private readonly Reservation _codeLines;
    private readonly ulong _lowTop;
    private readonly ulong _highTop;
    private readonly List<ICodeWatcher> _watchers = [];
    private Reservation? _tables;
    private ITableWatcher? _tableWatcher;

    /// <summary>Reserves the backing.</summary>
    /// <param name="sizeInBytes">RAM in bytes: a multiple of 4096, at least 1 MiB, at most <see cref="MaximumBytes"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is not one of those.</exception>
    /// <exception cref="OutOfMemoryException">The operating system refused the reservation.</exception>
    public HostMemory(ulong sizeInBytes)
        : this(sizeInBytes, BackingPages.Large)
    {
    }

    /// <summary>Reserves the backing.</summary>
    /// <inheritdoc cref="HostMemory(ulong)"/>
    /// <param name="sizeInBytes">As there.</param>
    /// <param name="pages">What is asked of the operating system.</param>
    public HostMemory(ulong sizeInBytes, BackingPages pages)
    {
        if (sizeInBytes < 1 << 20 || sizeInBytes > MaximumBytes || (sizeInBytes & 0xFFF) != 0)
            throw new ArgumentOutOfRangeException(nameof(sizeInBytes), sizeInBytes, "RAM must be a multiple of 4 KiB between 1 MiB and 1 TiB.");

        SizeInBytes = sizeInBytes;
        _lowTop = Math.Min(sizeInBytes, HoleStart);
        _highTop = sizeInBytes > HoleStart ? HoleEnd + (sizeInBytes - HoleStart) : HoleEnd;
        ulong span = sizeInBytes > HoleStart ? _highTop : _lowTop;
        _ram = new Reservation(span);

        // Guests with a large footprint spend their time in the real machine's TLB misses otherwise (bench/README.md).
        if (pages == BackingPages.Large)
            _ram.PreferHugePages();
        _codeLines = new Reservation(Math.Max(4096, (span >> 12) * sizeof(ulong)));
        _owned = _ram;
    }

    private HostMemory(HostMemory whole)
    {
        SizeInBytes = whole.SizeInBytes;
        _lowTop = whole._lowTop;
        _highTop = whole._highTop;
        _ram = whole._ram;
        ulong span = SizeInBytes > HoleStart ? _highTop : _lowTop;
        _codeLines = new Reservation(Math.Max(4096, (span >> 12) * sizeof(ulong)));
    }

    /// <summary>The same RAM as one machine of several sees it: with code lines and watchers of its own, so that machines may run on different threads.</summary>
    /// <remarks>
    /// The machine writes frames that it owns and no others, and writes of the hypervisor to a frame go through the view of its owner: another
    /// view's watchers are not told. Disposing a view leaves the RAM; the RAM outlives its views.
    /// </remarks>
    public HostMemory OpenView() => new(this);

    /// <summary>RAM in bytes, the hole not counted.</summary>
    public ulong SizeInBytes { get; }

    /// <summary>One past the last byte of RAM below the hole.</summary>
    public HostPhysicalAddress LowTop => new(_lowTop);

    /// <summary>One past the last byte of RAM above the hole; 4 GiB where there is none.</summary>
    public HostPhysicalAddress HighTop => new(_highTop);

    /// <summary>The backing of host-physical address 0. Only for code that checked <see cref="IsRam"/>.</summary>
    internal byte* Base => _ram.Pointer;

    /// <summary>Whether the address is backed by RAM.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsRam(HostPhysicalAddress address) => address.Value < _lowTop || (address.Value >= HoleEnd && address.Value < _highTop);

    /// <summary>Whether every byte of a range is RAM. False for a range that wraps around.</summary>
    public bool IsRam(HostPhysicalAddress address, ulong length)
    {
        ulong end = unchecked(address.Value + length);
        if (end < address.Value)
            return false;
        return end <= _lowTop || (address.Value >= HoleEnd && end <= _highTop);
    }

    /// <summary>One frame of RAM, for reading. The span is valid until the memory is disposed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The frame is not RAM.</exception>
    public ReadOnlySpan<byte> Frame(HostFrameNumber frame)
    {
        if (!IsRam(frame.Address))
            throw new ArgumentOutOfRangeException(nameof(frame), frame, "Not a frame of RAM.");
        // SAFETY: IsRam holds for the first byte, RAM begins and ends on frame boundaries (constructor).
        return new ReadOnlySpan<byte>(Base + frame.Address.Value, 4096);
    }

    /// <summary>Reads an unmanaged value; any alignment.</summary>
    /// <returns>All ones where the range is not wholly RAM, as an unclaimed bus would answer.</returns>
    public T Read<T>(HostPhysicalAddress address)
        where T : unmanaged
    {
        if (!IsRam(address, (ulong)sizeof(T)))
        {
            T ones;
            Unsafe.InitBlockUnaligned(&ones, 0xFF, (uint)sizeof(T));
            return ones;
        }

        // SAFETY: the whole range is RAM.
        return Unsafe.ReadUnaligned<T>(Base + address.Value);
    }

    /// <summary>Copies RAM out. The range must be RAM.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not wholly RAM.</exception>
    public void Read(HostPhysicalAddress address, Span<byte> destination)
    {
        CheckRange(address, (ulong)destination.Length);
        new ReadOnlySpan<byte>(Base + address.Value, destination.Length).CopyTo(destination);
    }

    /// <summary>Writes an unmanaged value through the gate that guards code; any alignment. Dropped where the range is not wholly RAM.</summary>
    public void Write<T>(HostPhysicalAddress address, T value)
        where T : unmanaged
    {
        if (!IsRam(address, (ulong)sizeof(T)))
            return;
        // SAFETY: the whole range is RAM.
        Unsafe.WriteUnaligned(Base + address.Value, value);
        NoteWrite(address, (ulong)sizeof(T));
    }

    /// <summary>Copies bytes into RAM through the gate that guards code. Every write that is not a store of the guest's program comes this way.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not wholly RAM.</exception>
    public void Write(HostPhysicalAddress address, ReadOnlySpan<byte> source)
    {
        CheckRange(address, (ulong)source.Length);
        source.CopyTo(new Span<byte>(Base + address.Value, source.Length));
        NoteWrite(address, (ulong)source.Length);
    }

    /// <summary>Fills RAM with zeros through the gate that guards code.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range is not wholly RAM.</exception>
    public void Clear(HostPhysicalAddress address, ulong length)
    {
        CheckRange(address, length);
        NativeMemory.Clear(Base + address.Value, (nuint)length);
        NoteWrite(address, length);
    }

    /// <summary>Every byte of RAM is zero again, as when it was made. Before anything was decoded from it, and not through a view.</summary>
    public void Forget() => (_owned ?? throw new InvalidOperationException("RAM is forgotten by whom it belongs to.")).Forget();

    /// <summary>Which 64-byte lines of a frame hold decoded code: bit i is line i. Zero where the frame is not RAM.</summary>
    public ulong CodeLines(HostFrameNumber frame) => IsRam(frame.Address) ? CodeLineWords[frame.Value] : 0;

    /// <summary>Marks lines of a frame as holding decoded code. Where they are its first, the watchers revoke what lets stores by unseen.</summary>
    public void AddCodeLines(HostFrameNumber frame, ulong lines)
    {
        CheckRange(frame.Address, 4096);
        if (CodeLineWords[frame.Value] == 0)
        {
            foreach (ICodeWatcher watcher in _watchers)
                watcher.CodeAppears(frame);
        }

        CodeLineWords[frame.Value] |= lines;
    }

    /// <summary>Forgets that a frame holds decoded code.</summary>
    public void ClearCodeLines(HostFrameNumber frame)
    {
        CheckRange(frame.Address, 4096);
        CodeLineWords[frame.Value] = 0;
    }

    /// <summary>Which lines of a frame no store may change unseen: those that hold decoded code, or all of a paging table that is watched.</summary>
    public ulong GuardedLines(HostFrameNumber frame) => _tables is not null && IsTable(frame) ? ulong.MaxValue : CodeLines(frame);

    /// <summary>From now on one is told of every write to the frames that it names as paging tables.</summary>
    public void WatchTables(ITableWatcher watcher)
    {
        _tables ??= new Reservation(Math.Max(4096, (_highTop > HoleEnd ? _highTop : _lowTop) >> 12));
        _tableWatcher = watcher;
    }

    /// <summary>Marks a frame as a paging table. The caller revokes what lets stores to it by unseen. After <see cref="WatchTables"/> only.</summary>
    public void AddTable(HostFrameNumber frame)
    {
        CheckRange(frame.Address, 4096);
        _tables!.Pointer[frame.Value] = 1;
    }

    /// <summary>Adds one that is told when a line that holds code was written.</summary>
    public void Watch(ICodeWatcher watcher) => _watchers.Add(watcher);

    /// <summary>Removes one that was told of writes to code.</summary>
    public void Unwatch(ICodeWatcher watcher) => _watchers.Remove(watcher);

    /// <summary>Tells the watchers of code that a range of RAM was written. Cheap where no line of it holds code.</summary>
    public void NoteWrite(HostPhysicalAddress address, ulong length)
    {
        if (length == 0)
            return;
        ulong last = address.Value + length - 1;
        for (ulong frame = address.Value >> 12; frame <= last >> 12; frame++)
        {
            ulong lines = CodeLineWords[frame];
            bool isTable = _tables is not null && IsTable(new HostFrameNumber(frame));
            if (lines == 0 && !isTable)
                continue;
            ulong from = frame == address.Value >> 12 ? (address.Value & 0xFFF) >> 6 : 0;
            ulong to = frame == last >> 12 ? (last & 0xFFF) >> 6 : 63;
            ulong written = (ulong.MaxValue << (int)from) & (ulong.MaxValue >> (int)(63 - to));
            if (isTable)
                _tableWatcher!.TableWritten(new HostFrameNumber(frame), written);
            if ((lines & written) == 0)
                continue;
            foreach (ICodeWatcher watcher in _watchers)
                watcher.CodeWritten(new HostFrameNumber(frame), written);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _owned?.Dispose();
        _codeLines.Dispose();
        _tables?.Dispose();
    }

    // One word a frame, in a reservation of its own: touched only where there is code or where a slow write asks.
    private ulong* CodeLineWords => (ulong*)_codeLines.Pointer;

    private bool IsTable(HostFrameNumber frame) => IsRam(frame.Address) && _tables!.Pointer[frame.Value] != 0;

    private void CheckRange(HostPhysicalAddress address, ulong length)
    {
        if (!IsRam(address, length))
            throw new ArgumentOutOfRangeException(nameof(address), address, "The range is not wholly RAM.");
    }
}
