using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <summary>The frames of one machine: what it takes and returns, and a reserve that it lives on while other machines run beside it.</summary>
/// <remarks>
/// <see cref="Open">Open</see>, it takes from the host. Closed, it takes from its reserve alone, so that what a machine gets does not depend on how far
/// the others have come: the result is the same on one thread and on several.
/// </remarks>
public sealed partial class MachineFrames
{
    private readonly HostFrameAllocator _host;
    private readonly Queue<HostPhysicalAddress> _reserve = [];

    // Of a reserve that is being restored.
    private readonly Queue<HostPhysicalAddress> _awaited = [];
    private bool _isOpen = true;

    /// <summary>Makes the account of a machine.</summary>
    /// <param name="host">Where frames come from.</param>
    /// <param name="owner">Who they belong to.</param>
    public MachineFrames(HostFrameAllocator host, ushort owner)
    {
        _host = host;
        Owner = owner;
    }

    /// <summary>Who the frames belong to.</summary>
    public ushort Owner { get; }

    /// <summary>The audit of the host; null where there is none.</summary>
    public FrameAudit? Audit => _host.Audit;

    /// <summary>Frames of 4 KiB that the machine has, its reserve included.</summary>
    public ulong Owned { get; private set; }

    /// <summary>Frames of 4 KiB that wait in the reserve.</summary>
    public int Reserved => _reserve.Count;

    /// <summary>From now on frames come from the host, and may be returned to it. Only while no machine of the host runs.</summary>
    public void Open() => _isOpen = true;

    /// <summary>From now on frames come from the reserve.</summary>
    public void Close() => _isOpen = false;

    /// <summary>Takes a run of frames, each zero.</summary>
    /// <returns>False where there is none: closed, of 4 KiB only what is reserved.</returns>
    public bool TryTake(PageSize size, out HostPhysicalAddress start)
    {
        if (size == PageSize.Size4K && _reserve.TryDequeue(out start))
            return true;
        if (TryTakeFree(size, out start))
            return true;

        // One frame is worth taking it from another; a large page is not.
        return _isOpen && size == PageSize.Size4K && _host.Relief is { } relief && relief() && TryTakeFree(size, out start);
    }

    /// <summary>Takes a run of frames from what nobody has: nothing is reclaimed for it. For work that reclaim itself asks for.</summary>
    /// <returns>False where there is none, and while closed.</returns>
    public bool TryTakeFree(PageSize size, out HostPhysicalAddress start)
    {
        start = default;
        if (!_isOpen || !_host.TryTake(Owner, size, out start))
            return false;
        Owned += size.Bytes() >> 12;
        return true;
    }

    /// <summary>Takes the very frames that a saved machine had. They are zero.</summary>
    /// <returns>False where the host has not got them to give.</returns>
    internal bool TryClaim(PageSize size, HostPhysicalAddress start)
    {
        if (!_host.TryClaim(Owner, size, start))
            return false;
        Owned += size.Bytes() >> 12;
        return true;
    }

    /// <summary>Writes which frames wait in the reserve, in their order.</summary>
    internal void SaveReserve(StateWriter writer)
    {
        writer.Write(_reserve.Count);
        foreach (HostPhysicalAddress frame in _reserve)
            writer.Write(frame.Value);
    }

    /// <summary>Reads it back. The reserve is empty, and has nothing before <see cref="TryClaimReserve"/>.</summary>
    internal void LoadReserve(StateReader reader)
    {
        _awaited.Clear();
        for (int left = reader.ReadInt32("reserve", 0, int.MaxValue); left > 0; left--)
            _awaited.Enqueue(new HostPhysicalAddress(reader.ReadUInt64("reserved")));
    }

    /// <summary>Takes the very frames that the reserve had.</summary>
    /// <returns>False where the host has not got them to give.</returns>
    internal bool TryClaimReserve()
    {
        while (_awaited.TryDequeue(out HostPhysicalAddress frame))
        {
            if (!TryClaim(PageSize.Size4K, frame))
                return false;
            _reserve.Enqueue(frame);
        }

        return true;
    }

    /// <summary>Returns frames to the host: unmapped, invalidated, without code. Only while open.</summary>
    public void Return(PageSize size, HostPhysicalAddress start)
    {
        if (!_isOpen)
            throw new System.Diagnostics.UnreachableException("Frames are returned at barriers only.");
        _host.Return(Owner, size, start);
        Owned -= size.Bytes() >> 12;
    }

    /// <summary>Fills the reserve up, or returns what is too much.</summary>
    /// <param name="frames">How many it is to hold.</param>
    /// <returns>False where the host has too few.</returns>
    public bool TryReserve(int frames)
    {
        while (_reserve.Count > frames)
            Return(PageSize.Size4K, _reserve.Dequeue());
        while (_reserve.Count < frames)
        {
            if (!_host.TryTake(Owner, PageSize.Size4K, out HostPhysicalAddress start))
                return false;
            Owned++;
            _reserve.Enqueue(start);
        }

        return true;
    }
}
