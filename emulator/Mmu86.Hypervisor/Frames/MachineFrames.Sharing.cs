using System.Diagnostics;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <content>Frames that the machine has together with others: they are the host's. Only while open.</content>
public sealed partial class MachineFrames
{
    /// <summary>Gives a frame to the host, and is its only sharer. The machine's entry is read-only already.</summary>
    internal void Share(HostFrameNumber frame)
    {
        RequireOpen();
        _host.Share(Owner, frame);
        Owned--;
    }

    /// <summary>Becomes one more sharer of a frame.</summary>
    internal void Join(HostFrameNumber frame)
    {
        RequireOpen();
        _host.AddSharer(frame);
    }

    /// <summary>Is a sharer no more: unmapped, invalidated, without code. The frame of the last one is free.</summary>
    internal void Leave(HostFrameNumber frame)
    {
        RequireOpen();
        _host.RemoveSharer(frame);
    }

    /// <summary>Takes a frame back that nobody else shares any more.</summary>
    /// <returns>False where others do.</returns>
    internal bool TryTakeBack(HostFrameNumber frame)
    {
        RequireOpen();
        if (_host.SharersOf(frame) != 1)
            return false;
        _host.TakeBack(Owner, frame);
        Owned++;
        return true;
    }

    /// <summary>An entry of the machine's restored tables leads to a shared frame.</summary>
    internal bool TryClaimShared(HostFrameNumber frame) => _host.TryClaimShared(frame);

    private void RequireOpen()
    {
        if (!_isOpen)
            throw new UnreachableException("Frames are shared and left at barriers only.");
    }
}
