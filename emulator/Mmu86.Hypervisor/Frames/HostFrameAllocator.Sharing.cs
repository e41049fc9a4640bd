using System.Diagnostics;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <content>Frames that several machines see. The host owns them, and counts the entries of nested tables that lead to each.</content>
public sealed partial class HostFrameAllocator
{
    /// <summary>The owner of shared frames: the host itself. No machine has this number.</summary>
    public const ushort SharedOwner = ushort.MaxValue;

    private readonly ShareCounts _sharers;

    /// <summary>Frames of 4 KiB that are shared.</summary>
    public ulong SharedFrames { get; private set; }

    /// <summary>Entries of nested tables that lead to shared frames.</summary>
    public ulong SharedEntries { get; private set; }

    /// <summary>Frames of 4 KiB that sharing saves now: what the entries would need alone, less what they have.</summary>
    public ulong FramesSaved => SharedEntries - SharedFrames;

    /// <summary>The most frames that sharing ever saved at once.</summary>
    public ulong MostFramesSaved { get; private set; }

    /// <summary>How many entries of nested tables lead to a shared frame; 0 where it is not shared.</summary>
    public ulong SharersOf(HostFrameNumber frame) => _sharers[frame];

    /// <summary>A frame of a machine becomes the host's, with this machine as its only sharer. Its entry is read-only already.</summary>
    internal void Share(ushort owner, HostFrameNumber frame)
    {
        Require(owner, frame);
        _owners[frame] = SharedOwner;
        SharedFrames++;
        Audit?.NoteShared(frame);
        AddSharer(frame);
    }

    /// <summary>One more entry leads to a shared frame.</summary>
    internal void AddSharer(HostFrameNumber frame)
    {
        Require(SharedOwner, frame);
        _sharers.Increment(frame);
        SharedEntries++;
        MostFramesSaved = Math.Max(MostFramesSaved, FramesSaved);
    }

    /// <summary>One entry less leads to a shared frame. Behind the last one the frame is free.</summary>
    internal void RemoveSharer(HostFrameNumber frame)
    {
        Require(SharedOwner, frame);
        SharedEntries--;
        if (_sharers.Decrement(frame) > 0)
            return;
        Audit?.RequireUnchanged(frame);
        SharedFrames--;
        Return(SharedOwner, PageSize.Size4K, frame.Address);
    }

    /// <summary>The only sharer of a frame gets it for itself.</summary>
    internal void TakeBack(ushort owner, HostFrameNumber frame)
    {
        Require(SharedOwner, frame);
        if (_sharers.Decrement(frame) != 0)
            throw new UnreachableException($"Frame {frame.Address} was taken back by {owner} and others share it.");
        Audit?.RequireUnchanged(frame);
        SharedEntries--;
        SharedFrames--;
        _owners[frame] = owner;
    }

    private void Require(ushort owner, HostFrameNumber frame)
    {
        if (_owners[frame] != owner)
            throw new UnreachableException($"Frame {frame.Address} of owner {_owners[frame]} was taken for one of {owner}.");
    }
}
