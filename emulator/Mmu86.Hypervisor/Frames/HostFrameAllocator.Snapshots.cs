using System.Diagnostics;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <content>The frames of a whole host in a saved state.</content>
public sealed partial class HostFrameAllocator
{
    /// <summary>Every byte of RAM is zero and no frame was ever given out: as it was made.</summary>
    /// <exception cref="UnreachableException">Somebody owns a frame.</exception>
    internal void Forget()
    {
        if (FramesUsed != 0)
            throw new UnreachableException($"{FramesUsed} frames of a host that is to be restored are owned.");
        _host.Forget();
        _free.Clear();
        _gaps.Clear();
        _next = 4096;
        MostFramesUsed = 0;
        MostFramesSaved = 0;
    }

    /// <summary>Writes the bytes of every frame that somebody owns.</summary>
    internal void SavePages(PageSectionWriter pages)
    {
        for (ulong number = 1; number < _next >> 12; number++)
        {
            var frame = new HostFrameNumber(number);
            if (_owners[frame] != Nobody)
                pages.Add(number, _host.Frame(frame));
        }

        pages.Flush();
    }

    /// <summary>Puts the bytes of a frame in their place. Its owner claims it later (<see cref="TryClaim"/>).</summary>
    /// <returns>False where nobody can have had it.</returns>
    internal bool TryLoadPage(ulong number, ReadOnlySpan<byte> bytes)
    {
        var frame = new HostFrameNumber(number);
        if (number == 0 || number >= _next >> 12 || !_host.IsRam(frame.Address) || _free.Contains(frame))
            return false;
        _host.Write(frame.Address, bytes);
        return true;
    }

    /// <summary>An entry of a restored table leads to a frame that was shared: the first one claims it for the host.</summary>
    /// <returns>False where the frame cannot be shared.</returns>
    internal bool TryClaimShared(HostFrameNumber frame)
    {
        if (_owners[frame] != SharedOwner)
        {
            if (!TryClaim(SharedOwner, PageSize.Size4K, frame.Address))
                return false;
            SharedFrames++;
            Audit?.NoteShared(frame);
        }

        AddSharer(frame);
        return true;
    }

    /// <summary>Whether every frame that was given out is owned, free, or one of those that aligning left over.</summary>
    internal bool IsComplete
    {
        get
        {
            ulong given = Math.Min(_next, _host.LowTop.Value) - 4096;
            given += _next > Memory.HostMemory.HoleEnd ? _next - Memory.HostMemory.HoleEnd : 0;
            ulong left = 0;
            foreach ((ulong start, ulong end) in _gaps)
            {
                for (ulong at = start; at < end; at += 4096)
                    left += _host.IsRam(new HostPhysicalAddress(at)) ? 1UL : 0;
            }

            return given >> 12 == FramesUsed + _free.Count + left;
        }
    }
}
