using Mmu86.Hypervisor.Snapshots;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <content>The space in a saved state: where each page is, what is under way, and when it will be there.</content>
public sealed partial class SwapSpace
{
    private const int MostOwners = 1 << 16;

    // Slots on the device whose bytes have not been loaded yet.
    private readonly HashSet<uint> _awaited = [];

    // Slots in the pool of which the same is true.
    private readonly HashSet<uint> _awaitedInPool = [];

    /// <summary>Whether every slot on the device that was saved has its bytes.</summary>
    public bool HasAllPages => _awaited.Count == 0;

    /// <summary>Whether every slot in the compressed pool that was saved has its bytes.</summary>
    public bool HasAllPooledPages => _awaitedInPool.Count == 0;

    /// <summary>What is in the compressed pool, the oldest first.</summary>
    internal IEnumerable<(uint Slot, byte[] Compressed)> PooledPages => _pool.ByAge;

    /// <summary>Whether a slot is an owner's and has a page.</summary>
    public bool Holds(int owner, SwapSlot slot)
    {
        if (slot.IsZeroPage)
            return Owner(owner).Counts.ZeroPages != 0;
        if (slot.Number >= _slots.Count)
            return false;
        SlotEntry entry = _slots[slot.Number];
        return entry.State is not (SlotState.Free or SlotState.Draining) && entry.Generation == slot.Generation && entry.Owner == owner;
    }

    /// <summary>Reads how an operation ended.</summary>
    internal static SwapStatus ReadStatus(StateReader reader, string field) =>
        (SwapStatus)reader.ReadByte(field) is var status && Enum.IsDefined(status) ? status : throw reader.Refuse(field, "is none that there is");

    /// <summary>Writes everything but the bytes that are on the device, which are <see cref="SavePages"/>'s, and in the pool, which are <see cref="PoolSection"/>'s.</summary>
    /// <exception cref="InvalidOperationException">The device's times are not of a kind that can be saved.</exception>
    public void Save(StateWriter writer)
    {
        ISavedDevice timing = SavedTiming();
        writer.Write(Slots);
        _slots.Save(writer);
        _allocator.Save(writer);
        writer.Write(_owners.Count);
        foreach (SwapOwner owner in _owners.Values.OrderBy(owner => owner.Number))
        {
            writer.Write(owner.Number);
            owner.Cursor.Save(writer);
            owner.Window.Save(writer);
            owner.Counts.Save(writer);
        }

        _readAhead.Save(writer);
        writer.Write(_held.Count);
        foreach ((uint slot, byte[] page) in _held)
        {
            writer.Write(slot);
            writer.WriteArray<byte>(page);
        }

        _writes.Save(writer);
        writer.Write((byte)_lastWriteFailure);
        timing.Save(writer);
    }

    /// <summary>Writes the bytes that are on the device, as they are there.</summary>
    /// <exception cref="IOException">A page cannot be read.</exception>
    public void SavePages(PageSectionWriter pages)
    {
        foreach (uint slot in _slots.Used)
        {
            if (_slots[slot].State != SlotState.OnDevice)
                continue;
            SwapStatus status = _device.Read((ulong)slot * SwapSlot.SizeInBytes, _page);
            if (status != SwapStatus.Done)
                throw new IOException($"slot {slot} of the swap file cannot be read ({status})");
            pages.Put(slot, _page);
        }

        pages.Flush();
    }

    /// <summary>Reads it back into an empty space of the same size. Pages on the device (<see cref="TryLoadPage"/>) and in the pool come later.</summary>
    /// <exception cref="StateFormatException">It is the state of another space, or broken.</exception>
    public void Load(StateReader reader)
    {
        ISavedDevice timing = SavedTiming();
        uint slots = reader.ReadUInt32("deviceSlots");
        if (slots != Slots)
            throw reader.Refuse("deviceSlots", $"is {slots}, and the device has {Slots}");
        _slots.Load(reader);
        _allocator.Load(reader, _slots.Used);
        LoadOwners(reader);
        HashSet<uint> placed = [];
        _readAhead.Load(reader, slot => RequireState(reader, "readAheadSlot", slot, SlotState.OnDevice));
        for (int left = reader.ReadInt32("held", 0, _options.HeldPages + SlotAllocator.ClusterSlots); left > 0; left--)
        {
            uint slot = reader.ReadUInt32("heldSlot");
            Place(reader, "heldSlot", placed, slot, SlotState.Held);
            byte[] page = new byte[SwapSlot.SizeInBytes];
            reader.ReadArray<byte>("heldBytes", page);
            _held.Add(slot, page);
        }

        _writes.Load(reader, number => _owners.GetValueOrDefault(number) ?? throw reader.Refuse("owner", $"is {number}, whom nobody knows"), (slot, owner) =>
        {
            Place(reader, "firstSlot", placed, slot, SlotState.Writing, SlotState.Draining);
            if (_slots[slot].Owner != owner.Number)
                throw reader.Refuse("owner", $"is {owner.Number}, and slot {slot} is owner {_slots[slot].Owner}'s");
        });
        foreach (uint slot in _slots.Used)
        {
            if (_slots[slot].State == SlotState.OnDevice)
                _awaited.Add(slot);
            else if (_slots[slot].State == SlotState.Pooled)
                _awaitedInPool.Add(slot);
            else if (!placed.Contains(slot))
                throw reader.Refuse("slotState", $"says that slot {slot} is {_slots[slot].State}, and its bytes are nowhere");
        }

        _lastWriteFailure = ReadStatus(reader, "lastWriteFailure");
        timing.Load(reader);
    }

    /// <summary>Puts the bytes of a slot on the device. It takes no virtual time.</summary>
    /// <returns>False where the slot has none there.</returns>
    /// <exception cref="RestoredPageException">They cannot be written.</exception>
    public bool TryLoadPage(ulong slot, ReadOnlySpan<byte> bytes)
    {
        if (slot >= Slots || !_awaited.Remove((uint)slot))
            return false;
        bytes.CopyTo(_page);
        SwapStatus status = _device.FinishWrite(_device.BeginWrite(slot * SwapSlot.SizeInBytes, _page));
        return status == SwapStatus.Done ? true : throw new RestoredPageException($"slot {slot} of the swap file cannot be written ({status})");
    }

    /// <summary>Reads a page of the compressed pool, younger than those before.</summary>
    /// <exception cref="StateFormatException">It is broken, or its slot is none that is in the pool and has no bytes yet.</exception>
    internal void LoadPooled(StateReader reader)
    {
        uint slot = reader.ReadUInt32("pooledSlot");
        if (!_awaitedInPool.Remove(slot))
            throw reader.Refuse("pooledSlot", $"is {slot}, which is not there");
        _pool.Load(reader, slot);
    }

    private ISavedDevice SavedTiming() => _timing as ISavedDevice ?? throw new InvalidOperationException("The times of the swap device cannot be saved.");

    private void LoadOwners(StateReader reader)
    {
        for (int left = reader.ReadInt32("owners", 0, MostOwners); left > 0; left--)
        {
            int number = reader.ReadInt32("owner", 0, int.MaxValue);
            SwapOwner owner = Owner(number);
            owner.Cursor.Load(reader, _allocator.Clusters);
            owner.Window.Load(reader);
            owner.Counts.Load(reader);
        }
    }

    private void Place(StateReader reader, string field, HashSet<uint> placed, uint slot, params ReadOnlySpan<SlotState> states)
    {
        RequireState(reader, field, slot, states);
        if (!placed.Add(slot))
            throw reader.Refuse(field, $"is {slot}, which is elsewhere too");
    }

    private void RequireState(StateReader reader, string field, uint slot, params ReadOnlySpan<SlotState> states)
    {
        if (slot >= Slots || !states.Contains(_slots[slot].State))
            throw reader.Refuse(field, $"is {slot}, which is not there");
    }
}
