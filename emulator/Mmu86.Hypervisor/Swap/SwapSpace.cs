using System.Diagnostics;

namespace Mmu86.Hypervisor.Swap;

/// <summary>Swapped pages of several machines on one device: slots, clustered writes, a compressed pool before the device, read-ahead, and a checksum for every page.</summary>
/// <remarks>
/// <para>Called by one thread at a time, in an order that does not depend on the host (at barriers, by time and machine): then every byte, count and virtual time is the
/// same in each run. Real reads are made at once, real writes on the device's own time; what came of a write is learnt at its simulated completion.</para>
/// <para>A page is copied when it is stored, so its frame may be given away at once; who wants to be honest about the time keeps it until <see cref="Flush"/>'s moment.
/// A page whose write failed stays in memory and is written again at the next <see cref="Flush"/>: a bad write loses nothing.</para>
/// </remarks>
public sealed partial class SwapSpace : IDisposable
{
    private readonly ISwapDevice _device;
    private readonly ISwapTiming _timing;
    private readonly SwapSpaceOptions _options;
    private readonly SlotAllocator _allocator;
    private readonly SlotTable _slots;
    private readonly WriteBehind _writes;
    private readonly CompressedPool _pool = new();
    private readonly ReadAheadCache _readAhead;
    private readonly SortedDictionary<uint, byte[]> _held = [];
    private readonly Dictionary<int, SwapOwner> _owners = [];
    private readonly byte[] _page = new byte[SwapSlot.SizeInBytes];
    private readonly byte[] _window;
    private SwapStatus _lastWriteFailure = SwapStatus.Done;

    /// <summary>Makes an empty space over all of a device.</summary>
    /// <param name="device">Where pages go; the space disposes of it.</param>
    /// <param name="timing">When that is complete in simulated time.</param>
    /// <param name="options">How it works.</param>
    /// <exception cref="ArgumentOutOfRangeException">The device holds no page, or an option is out of its range.</exception>
    public SwapSpace(ISwapDevice device, ISwapTiming timing, SwapSpaceOptions options)
    {
        options.Check();
        ulong slots = device.SizeInBytes / SwapSlot.SizeInBytes;
        if (slots is 0 or > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(device), device.SizeInBytes, "The device must hold a page, and no more than 2^31 of them.");
        _device = device;
        _timing = timing;
        _options = options;
        _allocator = new SlotAllocator((uint)slots);
        _slots = new SlotTable((uint)slots);
        _writes = new WriteBehind(device, timing, options.ClusterPages, options.ClustersUnderWay, Written);
        _readAhead = new ReadAheadCache(options.ReadAheadCachePages);
        _window = new byte[options.ReadAheadPages * SwapSlot.SizeInBytes];
    }

    /// <summary>Slots of the device.</summary>
    public uint Slots => _slots.Count;

    /// <summary>Slots that can be given out now. Those freed while they were being written are not among them yet.</summary>
    public uint SlotsFree => _allocator.Free;

    /// <summary>How the last write that did not go well ended; <see cref="SwapStatus.Done"/> where all did.</summary>
    public SwapStatus LastWriteFailure => _lastWriteFailure;

    /// <summary>Bytes of memory that pages take here for longer than a write: the compressed pool, and pages whose write failed.</summary>
    public ulong MemoryBytes => _pool.Bytes + ((ulong)_held.Count * SwapSlot.SizeInBytes);

    /// <summary>What an owner has and what happened to its pages; it changes as they do.</summary>
    public SwapCounts CountsOf(int owner) => Owner(owner).Counts;

    /// <summary>The sum over all owners, as of now.</summary>
    public SwapCounts SumCounts()
    {
        var sum = new SwapCounts();
        foreach (SwapOwner owner in _owners.Values)
            sum.Add(owner.Counts);
        return sum;
    }

    /// <summary>Stores a page.</summary>
    /// <param name="owner">The machine whose page it is.</param>
    /// <param name="page">4096 bytes, which are copied.</param>
    /// <param name="now">Virtual nanoseconds.</param>
    /// <param name="slot">What the page is loaded with; the default value unless all went well.</param>
    /// <returns>
    /// Done; <see cref="SwapStatus.DeviceFull"/> where no slot is free; what the last failed write ended with, while as many pages as may be are held in memory
    /// because of such writes. In both cases the page is not taken.
    /// </returns>
    public SwapOutcome Store(int owner, ReadOnlySpan<byte> page, ulong now, out SwapSlot slot)
    {
        CheckLength(page.Length);
        slot = default;
        _writes.Settle(now);
        SwapOwner of = Owner(owner);
        if (!page.ContainsAnyExcept((byte)0))
        {
            of.Counts.PagesOut++;
            of.Counts.ZeroPagesOut++;
            of.Counts.ZeroPages++;
            slot = SwapSlot.ZeroPage;
            return new SwapOutcome(SwapStatus.Done, now);
        }

        if (_held.Count >= _options.HeldPages)
            return new SwapOutcome(_lastWriteFailure, now);
        if (!TryTakeSlot(of, ref now, out uint number))
            return new SwapOutcome(SwapStatus.DeviceFull, now);
        ref SlotEntry entry = ref _slots[number];
        entry.Generation = entry.Generation == SwapSlot.LastGeneration ? 1 : entry.Generation + 1;
        entry.Owner = owner;
        entry.Checksum = PageChecksum.Of(page, number, entry.Generation, owner);
        of.Counts.SlotsUsed++;
        of.Counts.PagesOut++;
        now = Place(of, ref entry, number, page, now);
        slot = new SwapSlot(number, entry.Generation);
        return new SwapOutcome(SwapStatus.Done, now);
    }

    /// <summary>Frees a slot. What is in it is never seen again by anyone.</summary>
    /// <param name="owner">Its owner.</param>
    /// <param name="slot">The slot, or <see cref="SwapSlot.ZeroPage"/>.</param>
    /// <exception cref="InvalidOperationException">The slot is not that owner's: a mistake of the caller.</exception>
    public void Free(int owner, SwapSlot slot)
    {
        SwapOwner of = Owner(owner);
        if (slot.IsZeroPage)
        {
            CheckZeroPage(of);
            of.Counts.ZeroPages--;
            return;
        }

        ref SlotEntry entry = ref Entry(owner, slot);
        of.Counts.SlotsUsed--;
        switch (entry.State)
        {
            case SlotState.Writing:
                entry.State = SlotState.Draining;
                return;
            case SlotState.Pooled:
                RemoveFromPool(of, slot.Number);
                break;
            case SlotState.OnDevice:
                _readAhead.Drop(slot.Number);
                break;
            case SlotState.Held:
                _held.Remove(slot.Number);
                of.Counts.HeldPages--;
                break;
            case SlotState.Free or SlotState.Draining:
            default:
                throw new UnreachableException();
        }

        entry.State = SlotState.Free;
        _allocator.Return(slot.Number);
    }

    /// <summary>Frees everything that an owner has: its machine is destroyed.</summary>
    public void FreeAll(int owner)
    {
        foreach (uint number in _slots.OwnedBy(owner))
            Free(owner, new SwapSlot(number, _slots[number].Generation));
        Owner(owner).Counts.ZeroPages = 0;
    }

    /// <summary>Hands gathered pages to the device, and those again whose write failed.</summary>
    /// <param name="now">Virtual nanoseconds.</param>
    /// <returns>When all writes under way are complete; now, if there are none.</returns>
    public ulong Flush(ulong now)
    {
        _writes.Settle(now);
        foreach ((uint number, byte[] page) in _held.ToArray())
        {
            ref SlotEntry entry = ref _slots[number];
            SwapOwner owner = Owner(entry.Owner);
            _held.Remove(number);
            owner.Counts.HeldPages--;
            entry.State = SlotState.Writing;
            now = _writes.Append(owner, number, page, now);
        }

        return _writes.Submit(now);
    }

    /// <summary>Ends the writes and disposes of the device.</summary>
    public void Dispose()
    {
        _writes.Settle(ulong.MaxValue);
        _device.Dispose();
    }

    // To the pool, if there is one and the page shrinks enough; else to the device.
    private ulong Place(SwapOwner owner, ref SlotEntry entry, uint number, ReadOnlySpan<byte> page, ulong now)
    {
        if (_options.CompressedPoolBytes != 0)
        {
            now += _options.CompressNanoseconds;
            if (_pool.TryAdd(number, page, out int bytes))
            {
                entry.State = SlotState.Pooled;
                owner.Counts.PagesCompressed++;
                owner.Counts.PooledPages++;
                owner.Counts.PooledBytes += (ulong)bytes;
                while (_pool.Bytes > _options.CompressedPoolBytes)
                    now = WriteBackOldest(now);
                return now;
            }

            owner.Counts.PagesIncompressible++;
        }

        entry.State = SlotState.Writing;
        return _writes.Append(owner, number, page, now);
    }

    // The oldest page and its neighbours behind it, so that they make one write.
    private ulong WriteBackOldest(ulong now)
    {
        uint number = _pool.Oldest;
        int owner = _slots[number].Owner;
        SwapOwner of = Owner(owner);
        for (int i = 0; i < _options.ClusterPages && number < _slots.Count; i++, number++)
        {
            ref SlotEntry entry = ref _slots[number];
            if (entry.State != SlotState.Pooled || entry.Owner != owner)
                break;
            _pool.Read(number, _page);
            RemoveFromPool(of, number);
            of.Counts.PagesWrittenBack++;
            entry.State = SlotState.Writing;
            now = _writes.Append(of, number, _page, now + _options.DecompressNanoseconds);
        }

        return now;
    }

    // Slots that were freed while they were written come back when the writes are complete: with no other left, that is waited for.
    private bool TryTakeSlot(SwapOwner owner, ref ulong now, out uint number)
    {
        if (_allocator.TryTake(owner.Number, ref owner.Cursor, out number))
            return true;
        if (!_writes.IsBusy)
            return false;
        ulong complete = _writes.Submit(now);
        _writes.Settle(complete);
        if (!_allocator.TryTake(owner.Number, ref owner.Cursor, out number))
            return false;
        now = complete;
        return true;
    }

    private void Written(WriteCluster cluster, SwapStatus status)
    {
        SwapCounts counts = cluster.Owner.Counts;
        if (status == SwapStatus.Done)
        {
            counts.WriteOperations++;
            counts.BytesWritten += (ulong)cluster.Bytes.Length;
        }
        else
        {
            counts.WriteFailures++;
            _lastWriteFailure = status;
        }

        for (int i = 0; i < cluster.Pages; i++)
        {
            uint number = cluster.Slot(i);
            ref SlotEntry entry = ref _slots[number];
            if (entry.State == SlotState.Draining)
            {
                entry.State = SlotState.Free;
                _allocator.Return(number);
            }
            else if (status == SwapStatus.Done)
            {
                entry.State = SlotState.OnDevice;
            }
            else
            {
                entry.State = SlotState.Held;
                counts.HeldPages++;
                _held.Add(number, cluster.Page(i).ToArray());
            }
        }
    }

    private void RemoveFromPool(SwapOwner owner, uint number)
    {
        owner.Counts.PooledPages--;
        owner.Counts.PooledBytes -= (ulong)_pool.Remove(number);
    }

    private SwapOwner Owner(int number)
    {
        if (!_owners.TryGetValue(number, out SwapOwner? owner))
            _owners.Add(number, owner = new SwapOwner(number));
        return owner;
    }

    private ref SlotEntry Entry(int owner, SwapSlot slot)
    {
        if (slot.Number < _slots.Count)
        {
            ref SlotEntry entry = ref _slots[slot.Number];
            if (entry.State is not (SlotState.Free or SlotState.Draining) && entry.Generation == slot.Generation && entry.Owner == owner)
                return ref entry;
        }

        throw new InvalidOperationException($"{slot} is not owner {owner}'s.");
    }

    private static void CheckZeroPage(SwapOwner owner)
    {
        if (owner.Counts.ZeroPages == 0)
            throw new InvalidOperationException($"Owner {owner.Number} has no page of zeros swapped out.");
    }

    private static void CheckLength(int bytes)
    {
        if (bytes != SwapSlot.SizeInBytes)
            throw new ArgumentException($"A page has {SwapSlot.SizeInBytes} bytes, not {bytes}.", nameof(bytes));
    }
}
