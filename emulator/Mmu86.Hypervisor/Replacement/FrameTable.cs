using System.Runtime.CompilerServices;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>The books of a policy: slots found by frame, each in at most one of several lists from oldest to newest.</summary>
/// <remarks>
/// Slots are an array of structures with their links inside, so that nothing is allocated for a frame. The array doubles up to the limit; a slot's number
/// stays. Every operation but <see cref="Verify"/> takes constant time, growing apart.
/// </remarks>
internal sealed partial class FrameTable
{
    /// <summary>No slot.</summary>
    public const int None = -1;

    /// <summary>The list of slots that are in no list.</summary>
    public const ushort NoList = ushort.MaxValue;

    private const int FirstCapacity = 64;

    // While the free list is read: the end of it, which is no slot that is still to be put there.
    private const int LastFree = -2;

    // Sixteen buckets are a line of 64 bytes.
    private const ulong RunFrames = 16;
    private const int LeastBucketBits = 4;

    private readonly int _limit;
    private readonly FrameList[] _lists;
    private FrameSlot[] _slots;
    private int[] _buckets;
    private int _shift;
    private int _free = None;

    /// <summary>Empty books.</summary>
    /// <param name="lists">How many lists, all empty.</param>
    /// <param name="limit">The most slots.</param>
    public FrameTable(int lists, int limit)
    {
        _limit = limit;
        _lists = new FrameList[lists];
        Array.Fill(_lists, FrameList.Empty);
        _slots = new FrameSlot[Math.Min(FirstCapacity, limit)];
        _buckets = [];
        Rehash();
    }

    /// <summary>Slots in use.</summary>
    public int Count { get; private set; }

    /// <summary>Slots that have ever been in use are below this.</summary>
    public int HighWater { get; private set; }

    /// <summary>A slot.</summary>
    public ref FrameSlot this[int slot] => ref _slots[slot];

    /// <summary>The slot of a frame.</summary>
    /// <returns><see cref="None"/> where it has none.</returns>
    public int Find(FrameId frame)
    {
        int slot = _buckets[Bucket(frame)];
        while (slot != None && _slots[slot].Id != frame)
            slot = _slots[slot].Chain;
        return slot;
    }

    /// <summary>A slot for a frame that has none; in no list.</summary>
    public int Add(FrameId frame)
    {
        int slot = _free;
        if (slot != None)
        {
            _free = _slots[slot].Chain;
        }
        else
        {
            if (HighWater == _slots.Length)
                Grow();
            slot = HighWater++;
        }

        ref int bucket = ref _buckets[Bucket(frame)];
        _slots[slot] = new FrameSlot { Id = frame, Newer = None, Older = None, Chain = bucket, List = NoList };
        bucket = slot;
        Count++;
        return slot;
    }

    /// <summary>Takes a slot out of its list, if it is in one, and frees it.</summary>
    public void Release(int slot)
    {
        Unlink(slot);
        ref int link = ref _buckets[Bucket(_slots[slot].Id)];
        while (link != slot)
            link = ref _slots[link].Chain;
        link = _slots[slot].Chain;
        _slots[slot].Id = FrameId.None;
        _slots[slot].Flags = FrameFlags.None;
        _slots[slot].Chain = _free;
        _free = slot;
        Count--;
    }

    /// <summary>The oldest of a list, or <see cref="None"/>.</summary>
    public int Oldest(int list) => _lists[list].Oldest;

    /// <summary>The newest of a list, or <see cref="None"/>.</summary>
    public int Newest(int list) => _lists[list].Newest;

    /// <summary>How many are in a list.</summary>
    public int CountOf(int list) => _lists[list].Count;

    /// <summary>Makes a slot the newest of a list, whichever it was in before.</summary>
    public void MoveToNewest(int slot, int list)
    {
        Unlink(slot);
        ref FrameSlot moved = ref _slots[slot];
        ref FrameList to = ref _lists[list];
        moved.List = (ushort)list;
        moved.Newer = None;
        moved.Older = to.Newest;
        if (to.Newest != None)
            _slots[to.Newest].Newer = slot;
        else
            to.Oldest = slot;
        to.Newest = slot;
        to.Count++;
    }

    /// <summary>Makes a slot the oldest of a list, whichever it was in before.</summary>
    public void MoveToOldest(int slot, int list)
    {
        Unlink(slot);
        ref FrameSlot moved = ref _slots[slot];
        ref FrameList to = ref _lists[list];
        moved.List = (ushort)list;
        moved.Older = None;
        moved.Newer = to.Oldest;
        if (to.Oldest != None)
            _slots[to.Oldest].Older = slot;
        else
            to.Newest = slot;
        to.Oldest = slot;
        to.Count++;
    }

    /// <summary>Takes a slot out of its list, if it is in one.</summary>
    public void Unlink(int slot)
    {
        ref FrameSlot moved = ref _slots[slot];
        if (moved.List == NoList)
            return;
        ref FrameList from = ref _lists[moved.List];
        if (moved.Older != None)
            _slots[moved.Older].Newer = moved.Newer;
        else
            from.Oldest = moved.Newer;
        if (moved.Newer != None)
            _slots[moved.Newer].Older = moved.Older;
        else
            from.Newest = moved.Older;
        from.Count--;
        moved.List = NoList;
    }

    /// <summary>Follows every link and counts.</summary>
    /// <exception cref="InvalidOperationException">Something does not agree.</exception>
    public void Verify()
    {
        int inUse = 0;
        int linked = 0;
        for (int slot = 0; slot < HighWater; slot++)
        {
            if (_slots[slot].Id == FrameId.None)
                continue;
            inUse++;
            linked += _slots[slot].List == NoList ? 0 : 1;
            Require(Find(_slots[slot].Id) == slot, "a frame is not found by its name");
        }

        Require(inUse == Count && Count <= _limit, "the count of slots is wrong");
        for (int list = 0; list < _lists.Length; list++)
        {
            int length = 0;
            int older = None;
            for (int slot = _lists[list].Oldest; slot != None && length <= Count; slot = _slots[slot].Newer)
            {
                Require(_slots[slot].List == list && _slots[slot].Older == older, "a link of a list is wrong");
                older = slot;
                length++;
            }

            Require(length == _lists[list].Count && older == _lists[list].Newest, "the length of a list is wrong");
            linked -= length;
        }

        Require(linked == 0, "a slot is in no list that it names");
    }

    /// <summary>Throws where a fact does not hold.</summary>
    public static void Require(bool holds, string what)
    {
        if (!holds)
            throw new InvalidOperationException($"The books of the replacement policy disagree: {what}.");
    }

    // Multiplicative hashing of runs of frames: the high bits depend on all of the name. The frames of a run share a line of the real machine's cache: neighbours
    // are often asked for one after the other.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Bucket(FrameId frame) => (int)((((frame.Value / RunFrames) * 0x9E37_79B9_7F4A_7C15) >> _shift) ^ (frame.Value % RunFrames));

    private void Grow()
    {
        Require(_slots.Length < _limit, "more frames are remembered than there may be");
        Array.Resize(ref _slots, (int)Math.Min((long)_slots.Length * 2, _limit));
        Rehash();
    }

    private void Rehash()
    {
        // Twice as many as slots: what is looked for is often not there, and each other frame in its bucket is one to look at.
        int bits = Math.Max(LeastBucketBits, 1 + (int)Math.Ceiling(Math.Log2(_slots.Length)));
        _shift = 64 - bits;
        _buckets = new int[1 << bits];
        Array.Fill(_buckets, None);

        // The free ones are in their own list, and there are none while the table grows.
        for (int slot = 0; slot < HighWater; slot++)
        {
            if (_slots[slot].Id == FrameId.None)
                continue;
            ref int bucket = ref _buckets[Bucket(_slots[slot].Id)];
            _slots[slot].Chain = bucket;
            bucket = slot;
        }
    }

    private struct FrameList
    {
        public int Oldest;
        public int Newest;
        public int Count;

        public static FrameList Empty => new() { Oldest = None, Newest = None };
    }
}
