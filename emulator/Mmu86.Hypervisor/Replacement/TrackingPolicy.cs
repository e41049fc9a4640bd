using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>What all policies have in common: the books, pins, and the pace of scans. A policy says where a frame goes and which one gives way.</summary>
internal abstract class TrackingPolicy : IReplacementPolicy
{
    private const int MostNameBytes = 32;

    private readonly ReplacementOptions _options;
    private ScanPacer _pacer;
    private int _hand;

    /// <summary>Empty books.</summary>
    /// <param name="name">The name in the catalogue.</param>
    /// <param name="options">Sizes and times.</param>
    /// <param name="lists">How many lists the policy has.</param>
    /// <param name="slots">The most frames that it knows at once, ghosts among them.</param>
    protected TrackingPolicy(string name, ReplacementOptions options, int lists, int slots)
    {
        Name = name;
        _options = options;
        _pacer = new ScanPacer(options);
        Table = new FrameTable(lists, slots);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Count { get; private set; }

    /// <inheritdoc/>
    public int PinnedCount { get; private set; }

    /// <inheritdoc/>
    public int GhostCount => Table.Count - Count;

    /// <summary>The books.</summary>
    protected FrameTable Table { get; }

    /// <summary>Virtual nanoseconds at the last tick.</summary>
    protected ulong Now { get; private set; }

    /// <inheritdoc/>
    public bool IsResident(FrameId frame)
    {
        int slot = Table.Find(frame);
        return slot != FrameTable.None && (Table[slot].Flags & FrameFlags.Resident) != 0;
    }

    /// <inheritdoc/>
    public void Inserted(FrameId frame, Insertion how)
    {
        if (frame == FrameId.None)
            throw new InvalidOperationException("'none' cannot be resident.");
        int slot = Table.Find(frame);
        if (slot != FrameTable.None && (Table[slot].Flags & FrameFlags.Resident) != 0)
            throw new InvalidOperationException($"The frame {frame} is resident already.");
        if (Count == _options.MaxResidentFrames)
            throw new InvalidOperationException($"More than {Count} frames are resident.");
        if (slot == FrameTable.None)
            slot = Table.Add(frame);
        Table[slot].Flags |= how.Kind == InsertionKind.ReadAhead ? FrameFlags.Resident : FrameFlags.Resident | FrameFlags.Fresh;
        Count++;
        Enter(slot, how);
    }

    /// <inheritdoc/>
    public void Removed(FrameId frame, Removal how)
    {
        int slot = FindResident(frame);
        bool isPinned = (Table[slot].Flags & FrameFlags.Pinned) != 0;
        if (how == Removal.Evicted)
        {
            if (isPinned)
                throw new InvalidOperationException($"The frame {frame} is pinned and cannot be evicted.");
            Leave(slot);
            Evict(slot);
        }
        else
        {
            Discard(slot);
        }

        Count--;
    }

    /// <inheritdoc/>
    public void Pin(FrameId frame)
    {
        int slot = FindResident(frame);
        if ((Table[slot].Flags & FrameFlags.Pinned) != 0)
            throw new InvalidOperationException($"The frame {frame} is pinned already.");
        Leave(slot);
        Table.Unlink(slot);
        Table[slot].Flags |= FrameFlags.Pinned;
        PinnedCount++;
    }

    /// <inheritdoc/>
    public void Unpin(FrameId frame)
    {
        int slot = FindResident(frame);
        if ((Table[slot].Flags & FrameFlags.Pinned) == 0)
            throw new InvalidOperationException($"The frame {frame} is not pinned.");
        Table[slot].Flags &= ~FrameFlags.Pinned;
        PinnedCount--;
        Return(slot);
    }

    /// <inheritdoc/>
    public void Forget(int machine)
    {
        for (int slot = 0; slot < Table.HighWater; slot++)
        {
            if (Table[slot].Id == FrameId.None || Table[slot].Id.Machine != machine)
                continue;
            if ((Table[slot].Flags & FrameFlags.Resident) != 0)
            {
                Discard(slot);
                Count--;
            }
            else
            {
                Table.Release(slot);
            }
        }
    }

    /// <inheritdoc/>
    public bool TryChooseVictim(IAccessInformation access, FrameId incoming, out FrameId victim)
    {
        int slot = Count == PinnedCount ? FrameTable.None : Choose(access, incoming);
        victim = slot == FrameTable.None ? FrameId.None : Table[slot].Id;
        return slot != FrameTable.None;
    }

    /// <inheritdoc/>
    public void Tick(IAccessInformation access, ulong virtualNanoseconds)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(virtualNanoseconds, Now);
        ulong elapsed = virtualNanoseconds - Now;
        Now = virtualNanoseconds;
        if (Scans)
            Scan(access, _pacer.Due(elapsed, Table.HighWater));
    }

    /// <inheritdoc/>
    public virtual void Verify()
    {
        Table.Verify();
        int resident = 0;
        int pinned = 0;
        for (int slot = 0; slot < Table.HighWater; slot++)
        {
            FrameFlags flags = Table[slot].Flags;
            resident += (flags & FrameFlags.Resident) != 0 ? 1 : 0;
            pinned += (flags & FrameFlags.Pinned) != 0 ? 1 : 0;
            FrameTable.Require((flags & FrameFlags.Pinned) == 0 || Table[slot].List == FrameTable.NoList, "a pinned frame is in a list");
        }

        FrameTable.Require(resident == Count, "the count of resident frames is wrong");
        FrameTable.Require(pinned == PinnedCount, "the count of pinned frames is wrong");
    }

    /// <summary>Requires that resident frames, those that are pinned excepted, are in lists up to one, and evicted ones in those behind it.</summary>
    protected void VerifyLists(int lastResident)
    {
        for (int slot = 0; slot < Table.HighWater; slot++)
        {
            if (Table[slot].Id == FrameId.None || (Table[slot].Flags & FrameFlags.Pinned) != 0)
                continue;
            bool isResident = (Table[slot].Flags & FrameFlags.Resident) != 0;
            FrameTable.Require(Table[slot].List != FrameTable.NoList && Table[slot].List <= lastResident == isResident, $"{Table[slot].Id} is in a list where it cannot be");
        }
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(Name);
        _pacer.Save(writer);
        writer.Write(_hand);
        writer.Write(Now);
        Table.Save(writer);
        SaveMore(writer);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        string name = reader.ReadText("policy", MostNameBytes);
        if (name != Name)
            throw reader.Refuse("policy", $"is {name}, and here it is {Name}");
        _pacer.Load(reader);
        _hand = reader.ReadInt32("hand", 0, int.MaxValue);
        Now = reader.ReadUInt64("now");
        Table.Load(reader);
        Count = 0;
        PinnedCount = 0;
        for (int slot = 0; slot < Table.HighWater; slot++)
        {
            FrameFlags flags = Table[slot].Flags;
            if ((flags & FrameFlags.Pinned) != 0 && ((flags & FrameFlags.Resident) == 0 || Table[slot].List != FrameTable.NoList))
                throw reader.Refuse("flags", $"say that {Table[slot].Id} is pinned, and it is not resident or may be chosen");
            Count += (flags & FrameFlags.Resident) != 0 ? 1 : 0;
            PinnedCount += (flags & FrameFlags.Pinned) != 0 ? 1 : 0;
        }

        if (Count > _options.MaxResidentFrames)
            throw reader.Refuse("flags", $"say that {Count} frames are resident");
        LoadMore(reader);
        try
        {
            Verify();
        }
        catch (InvalidOperationException exception)
        {
            throw reader.Refuse("list", exception.Message);
        }
    }

    /// <summary>Writes what a policy has beside the table.</summary>
    protected virtual void SaveMore(StateWriter writer)
    {
    }

    /// <summary>Reads it back; the table is in place.</summary>
    protected virtual void LoadMore(StateReader reader)
    {
    }

    /// <summary>Refuses books in which a frame remembers a list that it cannot have come from, or go back to.</summary>
    protected void RequireListOfPinned(StateReader reader, int last)
    {
        for (int slot = 0; slot < Table.HighWater; slot++)
        {
            if (Table[slot].Age > last)
                throw reader.Refuse("age", $"of {Table[slot].Id} is {Table[slot].Age}, and no list of resident frames");
        }
    }

    /// <summary>Whether <see cref="Tick"/> leads to visits.</summary>
    protected virtual bool Scans => false;

    /// <summary>A frame became resident. It is in no list, or in one of ghosts, and counted already.</summary>
    protected abstract void Enter(int slot, Insertion how);

    /// <summary>A pinned frame may be chosen again; it is in no list.</summary>
    protected abstract void Return(int slot);

    /// <summary>The slot of the frame that should give way. At least one frame is not pinned.</summary>
    protected abstract int Choose(IAccessInformation access, FrameId incoming);

    /// <summary>A frame that is not pinned stops to be one that can be chosen: a policy with books beside the table strikes it out.</summary>
    protected virtual void Leave(int slot)
    {
    }

    /// <summary>A frame was evicted; it is still counted. A policy with ghosts keeps the slot and takes its flags away.</summary>
    protected virtual void Evict(int slot) => Table.Release(slot);

    /// <summary>A scan comes to a resident frame that is not pinned.</summary>
    protected virtual void Visit(IAccessInformation access, int slot)
    {
    }

    /// <summary>A scan has passed all frames.</summary>
    protected virtual void ScanCompleted()
    {
    }

    /// <summary>Visits all frames from the first slot on.</summary>
    protected void ScanAll(IAccessInformation access)
    {
        _hand = 0;
        Scan(access, Table.HighWater);
    }

    // By number of slot: lists change while they are scanned, slots stay.
    private void Scan(IAccessInformation access, int steps)
    {
        for (; steps > 0; steps--)
        {
            if (_hand >= Table.HighWater)
                _hand = 0;
            int slot = _hand++;
            if ((Table[slot].Flags & (FrameFlags.Resident | FrameFlags.Pinned)) == FrameFlags.Resident)
                Visit(access, slot);
            if (_hand == Table.HighWater)
                ScanCompleted();
        }
    }

    private void Discard(int slot)
    {
        if ((Table[slot].Flags & FrameFlags.Pinned) != 0)
            PinnedCount--;
        else
            Leave(slot);
        Table.Release(slot);
    }

    private int FindResident(FrameId frame)
    {
        int slot = Table.Find(frame);
        return slot != FrameTable.None && (Table[slot].Flags & FrameFlags.Resident) != 0
            ? slot
            : throw new InvalidOperationException($"The frame {frame} is not resident.");
    }
}
