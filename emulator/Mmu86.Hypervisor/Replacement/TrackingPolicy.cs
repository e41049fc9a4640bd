using System.Numerics;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>What all policies have in common: the books, pins, and the pace of scans. A policy says where a frame goes and which one gives way.</summary>
internal abstract class TrackingPolicy : IReplacementPolicy
{
    private const int MostNameBytes = 32;

    private readonly ReplacementOptions _options;
    private ScanPacer _pacer;

    // The frame that a scan looks at next.
    private int _hand;

    /// <summary>Empty books.</summary>
    /// <param name="name">The name in the catalogue.</param>
    /// <param name="options">Sizes and times.</param>
    /// <param name="lists">How many lists the policy has.</param>
    protected TrackingPolicy(string name, ReplacementOptions options, int lists)
    {
        Name = name;
        _options = options;
        _pacer = new ScanPacer(options);
        Table = new FrameTable(lists, options.FrameLimit);
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public int Count { get; private set; }

    /// <inheritdoc/>
    public int PinnedCount { get; private set; }

    /// <inheritdoc/>
    public int GhostCount => Table.Count - Count;

    /// <inheritdoc/>
    public ulong Now { get; private set; }

    /// <summary>The books.</summary>
    protected FrameTable Table { get; }

    /// <inheritdoc/>
    public bool IsResident(GuestFrameNumber frame)
    {
        int known = Table.Find(frame.Value);
        return known != FrameTable.None && (Table[known].Flags & FrameFlags.Resident) != 0;
    }

    /// <inheritdoc/>
    public void Inserted(GuestFrameNumber frame, Insertion how)
    {
        int entered = Table.Find(frame.Value);
        if (entered != FrameTable.None && (Table[entered].Flags & FrameFlags.Resident) != 0)
            throw new InvalidOperationException($"The frame G:0x{frame.Address.Value:x} is resident already.");
        if (Count == _options.MaxResidentFrames)
            throw new InvalidOperationException($"More than {Count} frames are resident.");
        if (entered == FrameTable.None)
            entered = Table.Add(frame.Value);
        Table[entered].Flags |= how.Kind == InsertionKind.ReadAhead ? FrameFlags.Resident : FrameFlags.Resident | FrameFlags.Fresh;
        Table.SetCandidate(entered);
        Count++;
        Enter(entered, how);
    }

    /// <inheritdoc/>
    public void Removed(GuestFrameNumber frame, Removal how)
    {
        int removed = FindResident(frame);
        bool isPinned = (Table[removed].Flags & FrameFlags.Pinned) != 0;
        if (isPinned && how == Removal.Evicted)
            throw new InvalidOperationException($"The frame G:0x{frame.Address.Value:x} is pinned and cannot be evicted.");
        if (isPinned)
            PinnedCount--;
        else
            Leave(removed);
        Table.ClearCandidate(removed);
        if (how == Removal.Evicted)
            Evict(removed);
        else
            Table.Release(removed);
        Count--;
    }

    /// <inheritdoc/>
    public void Pin(GuestFrameNumber frame)
    {
        int pinned = FindResident(frame);
        if ((Table[pinned].Flags & FrameFlags.Pinned) != 0)
            throw new InvalidOperationException($"The frame G:0x{frame.Address.Value:x} is pinned already.");
        Leave(pinned);
        Table.Unlink(pinned);
        Table.ClearCandidate(pinned);
        Table[pinned].Flags |= FrameFlags.Pinned;
        PinnedCount++;
    }

    /// <inheritdoc/>
    public void Unpin(GuestFrameNumber frame)
    {
        int pinned = FindResident(frame);
        if ((Table[pinned].Flags & FrameFlags.Pinned) == 0)
            throw new InvalidOperationException($"The frame G:0x{frame.Address.Value:x} is not pinned.");
        Table[pinned].Flags &= ~FrameFlags.Pinned;
        Table.SetCandidate(pinned);
        PinnedCount--;
        Return(pinned);
    }

    /// <inheritdoc/>
    public bool TryChooseVictim(IAccessInformation access, GuestFrameNumber? incoming, out GuestFrameNumber victim)
    {
        int chosen = Count == PinnedCount ? FrameTable.None : Choose(access, incoming is { } frame ? Table.Find(frame.Value) : FrameTable.None);
        victim = chosen == FrameTable.None ? default : new GuestFrameNumber((ulong)chosen);
        return chosen != FrameTable.None;
    }

    /// <inheritdoc/>
    public void Tick(IAccessInformation access, ulong virtualNanoseconds)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(virtualNanoseconds, Now);
        ulong elapsed = virtualNanoseconds - Now;
        Now = virtualNanoseconds;
        if (Scans)
            Scan(access, _pacer.Due(elapsed, Count - PinnedCount));
    }

    /// <inheritdoc/>
    public virtual void Verify()
    {
        Table.Verify();
        int resident = 0;
        int pinned = 0;
        foreach (int frame in Table.Known())
        {
            FrameFlags flags = Table[frame].Flags;
            resident += (flags & FrameFlags.Resident) != 0 ? 1 : 0;
            pinned += (flags & FrameFlags.Pinned) != 0 ? 1 : 0;
            FrameTable.Require((flags & FrameFlags.Pinned) == 0 || Table[frame].List == FrameTable.NoList, "a pinned frame is in a list");
        }

        FrameTable.Require(resident == Count, "the count of resident frames is wrong");
        FrameTable.Require(pinned == PinnedCount, "the count of pinned frames is wrong");
    }

    /// <summary>Requires that resident frames, those that are pinned excepted, are in lists up to one, and evicted ones in those behind it.</summary>
    protected void VerifyLists(int lastResident)
    {
        foreach (int frame in Table.Known())
        {
            if ((Table[frame].Flags & FrameFlags.Pinned) != 0)
                continue;
            bool isResident = (Table[frame].Flags & FrameFlags.Resident) != 0;
            FrameTable.Require(Table[frame].List != FrameTable.NoList && Table[frame].List <= lastResident == isResident, $"frame 0x{frame:x} is in a list where it cannot be");
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
        if (_hand != 0 && _hand >= Table.HighWater)
            throw reader.Refuse("hand", $"is {_hand}, behind the last frame");
        Count = 0;
        PinnedCount = 0;
        foreach (int frame in Table.Known())
        {
            FrameFlags flags = Table[frame].Flags;
            if ((flags & FrameFlags.Pinned) != 0 && ((flags & FrameFlags.Resident) == 0 || Table[frame].List != FrameTable.NoList))
                throw reader.Refuse("flags", $"say that frame 0x{frame:x} is pinned, and it is not resident or may be chosen");
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
        foreach (int frame in Table.Known())
        {
            if (Table[frame].Age > last)
                throw reader.Refuse("age", $"of frame 0x{frame:x} is {Table[frame].Age}, and no list of resident frames");
        }
    }

    /// <summary>Whether <see cref="Tick"/> leads to visits.</summary>
    protected virtual bool Scans => false;

    /// <summary>A frame became resident. It is in no list, or in one of ghosts, and counted already.</summary>
    protected abstract void Enter(int frame, Insertion how);

    /// <summary>A pinned frame may be chosen again; it is in no list.</summary>
    protected abstract void Return(int frame);

    /// <summary>The frame that should give way. At least one frame is not pinned.</summary>
    /// <param name="access">What hardware shows.</param>
    /// <param name="ghost">The frame whose fault is served, if the books know it, or <see cref="FrameTable.None"/>.</param>
    protected abstract int Choose(IAccessInformation access, int ghost);

    /// <summary>A frame that is not pinned stops to be one that can be chosen: a policy with books beside the table strikes it out.</summary>
    protected virtual void Leave(int frame)
    {
    }

    /// <summary>A frame was evicted; it is still counted. A policy with ghosts keeps it and takes its flags away.</summary>
    protected virtual void Evict(int frame) => Table.Release(frame);

    /// <summary>A scan comes to a group of frames.</summary>
    /// <param name="access">What hardware shows.</param>
    /// <param name="first">The first frame of the group.</param>
    /// <param name="frames">A bit for each frame of it that is to be visited: resident and not pinned.</param>
    protected virtual void Visit(IAccessInformation access, int first, ulong frames)
    {
    }

    /// <summary>A scan has passed all frames.</summary>
    protected virtual void ScanCompleted()
    {
    }

    /// <summary>Visits all frames from the first on.</summary>
    protected void ScanAll(IAccessInformation access)
    {
        for (int first = Table.SkipUnknown(0); first < Table.HighWater; first = Table.SkipUnknown(first + FrameTable.GroupFrames))
            Visit(access, first, Table.CandidatesAround(first));
        _hand = 0;
        ScanCompleted();
    }

    /// <summary>Asks for a frame's accessed flag, and clears it.</summary>
    protected static bool TestAndClear(IAccessInformation access, int frame) => access.TestAndClearAccessed(new GuestFrameNumber((ulong)frame));

    /// <summary>The same for frames of a group.</summary>
    protected static ulong TestAndClear(IAccessInformation access, int first, ulong frames) =>
        frames == 0 ? 0 : access.TestAndClearAccessed(new GuestFrameNumber((ulong)first), frames);

    // By number of frame, a group at a time: lists change while they are scanned.
    private void Scan(IAccessInformation access, int frames)
    {
        while (frames > 0)
        {
            _hand = Table.SkipUnknown(_hand);
            int first = _hand & -FrameTable.GroupFrames;
            ulong due = Table.CandidatesAround(_hand) & (ulong.MaxValue << _hand);
            _hand = first + FrameTable.GroupFrames;
            int many = BitOperations.PopCount(due);
            for (; many > frames; many--)
            {
                // The last one waits for the next time.
                _hand = first + BitOperations.Log2(due);
                due &= ~(1UL << _hand);
            }

            Visit(access, first, due);
            frames -= many;
            _hand = Table.SkipUnknown(_hand);
            if (_hand >= Table.HighWater)
            {
                _hand = 0;
                ScanCompleted();
            }
        }
    }

    private int FindResident(GuestFrameNumber frame)
    {
        int known = Table.Find(frame.Value);
        return known != FrameTable.None && (Table[known].Flags & FrameFlags.Resident) != 0
            ? known
            : throw new InvalidOperationException($"The frame G:0x{frame.Address.Value:x} is not resident.");
    }
}
