using System.Numerics;
using Mmu86.Hypervisor.Frames;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Sharing;

/// <summary>Frames of the host by the hash of their content: a bucket is a chain of <see cref="ShareFrame"/>s, one at most for each frame.</summary>
/// <remarks>What is here may be out of date; whoever finds something looks whether it still holds. 16 bytes a frame looked at, and a byte for the buckets.</remarks>
internal sealed class ShareTable
{
    // As many as a hint has bits for.
    private const ulong MostGuestFrame = (1UL << 36) - 1;

    private readonly HostMemory _memory;
    private readonly FrameTable<ShareFrame> _frames;
    private readonly uint[] _buckets;

    /// <summary>Makes an empty table for a host.</summary>
    public ShareTable(HostMemory host)
    {
        _memory = host;
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

    /// <summary>Writes every chain, the first frame first.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(_buckets.Length);
        writer.Write(_buckets.Count(first => first != 0));
        List<uint> chain = [];
        for (int bucket = 0; bucket < _buckets.Length; bucket++)
        {
            if (_buckets[bucket] == 0)
                continue;
            chain.Clear();
            for (uint next = _buckets[bucket]; next != 0; next = _frames[new HostFrameNumber(next)].Next)
                chain.Add(next);
            writer.Write(chain.Count);
            foreach (uint number in chain)
            {
                ShareFrame known = _frames[new HostFrameNumber(number)];
                writer.Write(number);
                writer.Write(known.IsShared);
                writer.Write(known.Hash);
                if (known.IsShared)
                    continue;
                writer.Write(known.Owner);
                writer.Write(known.Guest.Value);
            }
        }
    }

    /// <summary>Reads them back into an empty table.</summary>
    public void Load(StateReader reader)
    {
        _ = reader.ReadInt32("buckets", _buckets.Length, _buckets.Length);
        List<(HostFrameNumber Frame, bool IsShared, ulong Hash, ushort Owner, GuestFrameNumber Guest)> chain = [];
        for (int left = reader.ReadInt32("chains", 0, _buckets.Length); left > 0; left--)
        {
            chain.Clear();
            for (int length = reader.ReadInt32("chain", 1, int.MaxValue); length > 0; length--)
            {
                var frame = new HostFrameNumber(reader.ReadUInt32("frame"));
                bool isShared = reader.ReadBoolean("isShared");
                ulong hash = reader.ReadUInt64("hash");
                if (!_memory.IsRam(frame.Address) || frame.Value == 0 || _frames[frame].Exists)
                    throw reader.Refuse("frame", $"{frame.Address} is no frame of RAM, or there twice");
                if (chain.Count != 0 && Bucket(hash) != Bucket(chain[0].Hash))
                    throw reader.Refuse("hash", "is of another chain");
                chain.Add((frame, isShared, hash, isShared ? (ushort)0 : reader.ReadUInt16("owner"), isShared ? default : new GuestFrameNumber(reader.ReadUInt64("guest", 0, MostGuestFrame))));
            }

            // Each goes before those that are there.
            for (int i = chain.Count - 1; i >= 0; i--)
            {
                if (chain[i].IsShared)
                    SetShared(chain[i].Frame, chain[i].Hash);
                else
                    SetHint(chain[i].Frame, chain[i].Hash, chain[i].Owner, chain[i].Guest);
            }
        }
    }

    private ulong Bucket(ulong hash) => hash & ((ulong)_buckets.Length - 1);
}
