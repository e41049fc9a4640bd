using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>The guest's bytes, for loaders and for whoever acts on the guest's behalf. Only while the machine does not run.</content>
public sealed partial class GuestMemoryManager
{
    /// <inheritdoc/>
    /// <exception cref="HostMemoryExhaustedException">A swapped page is needed and the host has no frame left.</exception>
    /// <exception cref="SwappedPageLostException">A swapped page cannot be got back.</exception>
    public void Read(GuestPhysicalAddress address, Span<byte> destination)
    {
        while (destination.Length != 0)
        {
            Span<byte> part = destination[..BytesInFrame(address, destination.Length)];
            GuestFrameState state = StateOf(address.Frame);
            if (state is GuestFrameState.Unpopulated or GuestFrameState.Ballooned)
                part.Clear(); // memory never touched, or given up, reads as zeros
            else if (TryTranslate(address, out HostPhysicalAddress there))
                _host.Read(there, part); // and asks for no right to write
            else
                _host.Read(Require(address), part);
            destination = destination[part.Length..];
            address = new GuestPhysicalAddress(address.Value + (ulong)part.Length);
        }
    }

    /// <summary>Copies the bytes of a frame of RAM from wherever they are. Nothing changes: what is swapped stays so.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="page">4096 bytes: zeros where the frame holds nothing; not to be used where <paramref name="load"/> is not <see cref="PageLoad.Done"/>.</param>
    /// <param name="load">What the page store answered, for a swapped frame.</param>
    /// <returns>The state of the frame.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is no RAM of the guest.</exception>
    public GuestFrameState Peek(GuestFrameNumber frame, Span<byte> page, out PageLoad load)
    {
        GuestFrameState state = StateOf(frame);
        load = PageLoad.Done;
        if (TryTranslate(frame.Address, out HostPhysicalAddress host))
        {
            _host.Read(host, page);
        }
        else if (state == GuestFrameState.Swapped)
        {
            _ = FindEntry(frame.Address, out _, out ulong entry);
            load = _store!.Load(entry >> SlotShift, page);
        }
        else
        {
            page.Clear();
        }

        return state;
    }

    /// <inheritdoc/>
    /// <exception cref="HostMemoryExhaustedException">The host has no frame left.</exception>
    /// <exception cref="SwappedPageLostException">A swapped page cannot be got back.</exception>
    public void Write(GuestPhysicalAddress address, ReadOnlySpan<byte> source)
    {
        while (source.Length != 0)
        {
            ReadOnlySpan<byte> part = source[..BytesInFrame(address, source.Length)];
            _host.Write(RequireForWrite(address), part);
            source = source[part.Length..];
            address = new GuestPhysicalAddress(address.Value + (ulong)part.Length);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="HostMemoryExhaustedException">A swapped page is needed and the host has no frame left.</exception>
    /// <exception cref="SwappedPageLostException">A swapped page cannot be got back.</exception>
    public void Clear(GuestPhysicalAddress address, ulong length)
    {
        while (length != 0)
        {
            ulong part = Math.Min(length, 4096 - (address.Value & 0xFFF));

            // What was never touched is zero and stays untouched; what is swapped and cleared wholly need not come back for it.
            if (part == 4096 && StateOf(address.Frame) == GuestFrameState.Swapped)
                Discard(address);
            else if (StateOf(address.Frame) is not (GuestFrameState.Unpopulated or GuestFrameState.Ballooned))
                _host.Clear(RequireForWrite(address), part);
            length -= part;
            address = new GuestPhysicalAddress(address.Value + part);
        }
    }

    private static int BytesInFrame(GuestPhysicalAddress address, int length) => Math.Min(length, 4096 - (int)(address.Value & 0xFFF));

    private HostPhysicalAddress RequireForWrite(GuestPhysicalAddress address)
    {
        HostPhysicalAddress host = Require(address);
        NoteWritten(address.Frame);
        return host;
    }

    private HostPhysicalAddress Require(GuestPhysicalAddress address)
    {
        PopulateResult result = BringIn(address);
        if (result is PopulateResult.Corrupt or PopulateResult.Unreadable)
            throw new SwappedPageLostException(address, result);
        if (result != PopulateResult.Mapped || !TryTranslate(address, out HostPhysicalAddress host))
            throw new HostMemoryExhaustedException();
        return host;
    }

    private void Discard(GuestPhysicalAddress address)
    {
        HostPhysicalAddress at = FindEntry(address, out _, out ulong entry);
        _host.Write(at, 0UL);
        _store!.Free(entry >> SlotShift);
        SwappedFrames--;
        _dirtyLog?.Add(address.Frame);
    }
}
