using System.Numerics;
using Mmu86.Hypervisor.Frames;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Sharing;

/// <summary>Frames of the host by the hash of their content: a bucket is a chain of <see cref="ShareFrame"/>s, one at most for each frame.</summary>
/// <remarks>What is here may be out of date; whoever finds something looks whether it still holds. 16 bytes a frame looked at, and a byte for the buckets.</remarks>
internal sealed class ShareTable
{
    private readonly FrameTable<ShareFrame> _frames;
    private readonly uint[] _buckets;

    /// <summary>Makes an empty table for a host.</summary>
    public ShareTable(HostMemory host)
    {
        _frames = new FrameTable<ShareFrame>(HostFrameAllocator.FrameLimit(host));
        _buckets = new uint[Math.Max(64, BitOperations.RoundUpToPowerOf2((host.SizeInBytes >> 14) + 1) / 2)];
    }

    /// <summary>What is known of a frame.</summary>
    public ShareFrame this[HostFrameNumber frame] => _frames[frame];

    /// <summary>The first frame of a hash's bucket; 0 where there is none. Those behind it are <see cref="ShareFrame.Next"/>.</summary>
    public uint First(ulong hash) => _buckets[Bucket(hash)];

    /// <summary>A frame is shared and has a hash.</summary>
    public void SetShared(HostFrameNumber frame, ulong hash)
    {
        Remove(frame);
        _frames[frame] = ShareFrame.Shared(hash, First(hash));
        _buckets[Bucket(hash)] = (uint)frame.Value;
    }

    /// <summary>A frame is a machine's and had a hash.</summary>
    public void SetHint(HostFrameNumber frame, ulong hash, ushort owner, GuestFrameNumber guest)
    {
        ShareFrame known = _frames[frame];
        if (known.Exists && !known.IsShared && known.Matches(hash))
        {
            // Most pages are what they were: their place in the chain may stay.
            _frames[frame] = ShareFrame.Hint(hash, owner, guest, known.Next);
            return;
        }

        Remove(frame);
        _frames[frame] = ShareFrame.Hint(hash, owner, guest, First(hash));
        _buckets[Bucket(hash)] = (uint)frame.Value;
    }

    /// <summary>Nothing is known of a frame any more.</summary>
    public void Remove(HostFrameNumber frame)
    {
        ShareFrame known = _frames[frame];
        if (!known.Exists)
            return;
        ref uint bucket = ref _buckets[Bucket(known.Hash)];
        _frames[frame] = default;
        if (bucket == frame.Value)
        {
            bucket = known.Next;
            return;
        }

        for (var before = new HostFrameNumber(bucket); ; before = new HostFrameNumber(_frames[before].Next))
        {
            if (_frames[before].Next != frame.Value)
                continue;
            _frames[before] = _frames[before].Before(known.Next);
            return;
        }
    }

    private ulong Bucket(ulong hash) => hash & ((ulong)_buckets.Length - 1);
}
