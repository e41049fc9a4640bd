using Mmu86.Hypervisor.Replacement;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>Frames that the guest has together with others of equal content. Only while the machine does not run.</content>
public sealed partial class GuestMemoryManager
{
    // Ignored in a present entry by EPT and by AMD's tables.
    private const ulong SharedMark = 1UL << 52;

    // Frames that were given up for an equal one, and are not free before every MMU has forgotten them.
    private readonly List<(HostPhysicalAddress, PageSize)> _givenUp = [];

    // Shared frames of which the guest is a sharer no more, and which MMUs may still remember.
    private readonly List<HostFrameNumber> _left = [];

    /// <summary>Frames of 4 KiB of RAM that have a shared frame of the host. They are not among <see cref="ResidentFrames"/>.</summary>
    public ulong SharedFrames { get; private set; }

    /// <summary>Every frame of the guest that is shared, in ascending order of guest frames.</summary>
    public IEnumerable<ResidentFrame> SharedLeaves() => Leaves(_root, RootLevel, 0).Where(leaf => IsShared(leaf.Entry)).Select(leaf => leaf.Frame);

    /// <summary>Frames of 4 KiB of RAM that the guest was promised.</summary>
    internal ulong RamFrames => SizeInBytes >> 12;

    /// <summary>A frame of the guest's RAM by its place in it: without the device hole.</summary>
    internal static GuestFrameNumber RamFrame(ulong ordinal) =>
        new(ordinal < HostMemory.HoleStart >> 12 ? ordinal : ordinal + ((HostMemory.HoleEnd - HostMemory.HoleStart) >> 12));

    /// <summary>Whether no frame of the 2 MiB around one was ever touched, or all were given up: there is not even a table.</summary>
    internal bool IsUntouched(GuestFrameNumber frame)
    {
        _ = FindEntry(frame.Address, out int level, out ulong entry);
        return entry == 0 && level > 1;
    }

    /// <summary>The frame of the host that a resident frame of the guest has for itself.</summary>
    /// <returns>False for a frame in another state.</returns>
    internal bool TryFindOwn(GuestFrameNumber frame, out HostFrameNumber host)
    {
        _ = FindEntry(frame.Address, out int level, out ulong entry);
        host = new HostFrameNumber(Address(entry).Frame.Value + (frame.Value & ((1UL << (9 * (level - 1))) - 1)));
        return IsLeaf(entry, level) && !IsShared(entry) && _host.IsRam(Address(entry));
    }

    /// <summary>Whether the tables let the guest write to a frame.</summary>
    internal bool MayWrite(GuestFrameNumber frame)
    {
        _ = FindEntry(frame.Address, out int level, out ulong entry);
        return IsLeaf(entry, level) && (entry & _format.Write) != 0;
    }

    /// <summary>Splits the large page around a frame, so that the frame has an entry of its own.</summary>
    /// <returns>False where a table for it is not to be had.</returns>
    internal bool TryMakeSmall(GuestFrameNumber frame) => TryFindSmall(frame.Address, out _);

    /// <summary>Gives a frame that the guest has for itself, with an entry of its own, to the host, and keeps it read-only.</summary>
    /// <remarks><see cref="FinishSharing"/> before the machine runs: TLBs still let writes by.</remarks>
    internal void Share(GuestFrameNumber frame)
    {
        HostPhysicalAddress at = FindEntry(frame.Address, out _, out ulong entry);
        _host.Write(at, (entry & ~_format.Write) | SharedMark);
        _isStale = true;
        BecomeShared(frame);
        _frames.Share(Address(entry).Frame);
    }

    /// <summary>Gives a frame that the guest has for itself, with an entry of its own, up for a shared one of equal content.</summary>
    /// <remarks><see cref="FinishSharing"/> before the machine runs. Accessed and dirty flags stay what they are: so are the bytes.</remarks>
    internal void Join(GuestFrameNumber frame, HostFrameNumber shared)
    {
        HostPhysicalAddress at = FindEntry(frame.Address, out _, out ulong entry);
        _frames.Audit?.RequireEqual(shared, Address(entry).Frame, _frames.Owner);
        _frames.Join(shared);
        _host.Write(at, shared.Address.Value | (entry & ~(EptEntry.AddressMask | _format.Write)) | SharedMark);
        BecomeShared(frame);
        _givenUp.Add((Address(entry), PageSize.Size4K));
    }

    /// <summary>Takes a frame back that nobody else shares any more: it is the guest's own as before.</summary>
    /// <returns>False where others do, or the frame is not shared.</returns>
    internal bool TryTakeBack(GuestFrameNumber frame)
    {
        HostPhysicalAddress at = FindEntry(frame.Address, out int level, out ulong entry);
        if (!IsLeaf(entry, level) || !IsShared(entry) || !_frames.TryTakeBack(Address(entry).Frame))
            return false;

        // The same frame with one more right: what an MMU remembers sends it back to the tables, no more.
        _host.Write(at, Address(entry).Value | OwnFlags(entry));
        SharedFrames--;
        NoteResident(frame.Address, PageSize.Size4K, wasSwapped: false);
        return true;
    }

    /// <summary>Moves a shared frame to the guest's part of the page store: the guest shares it no more, and the host has it back behind the last who does.</summary>
    /// <returns>How many were moved: 0 where the frame is not shared or the store takes no more.</returns>
    internal int EvictShared(GuestFrameNumber frame)
    {
        HostPhysicalAddress at = FindEntry(frame.Address, out int level, out ulong entry);
        if (!IsLeaf(entry, level) || !IsShared(entry) || _store is null)
            return 0;
        ReadOnlySpan<byte> page = _host.Frame(Address(entry).Frame);
        if (!_store.TryStore(page, out ulong slot) && !(ForgetCopies() && _store.TryStore(page, out slot)))
            return 0;
        _host.Write(at, (slot << SlotShift) | SwappedMark);
        SwappedFrames++;
        Counts.SwappedOut++;
        Counts.SharedEvicted++;
        ForgetShared(Address(entry).Frame);
        Release([]);
        return 1;
    }

    /// <summary>Tells every MMU what became read-only or another frame, and frees what was given up.</summary>
    internal void FinishSharing()
    {
        Release(_givenUp);
        _givenUp.Clear();
    }

    private static bool IsShared(ulong entry) => (entry & SharedMark) != 0;

    // The guest writes: it gets a copy, or the frame itself if nobody else has it any more.
    private PopulateResult BreakSharing(GuestPhysicalAddress address)
    {
        if (!TryTakeBack(address.Frame))
        {
            if (!_frames.TryTake(PageSize.Size4K, out HostPhysicalAddress copy))
                return PopulateResult.NoFrame;
            HostPhysicalAddress at = FindEntry(address, out _, out ulong entry);
            if (!IsPresent(entry))
            {
                // The frame was made free by taking this very page.
                _frames.Return(PageSize.Size4K, copy);
                return BringIn(address);
            }

            HostFrameNumber shared = Address(entry).Frame;
            _frames.Audit?.RequireUnchanged(shared);
            _host.Write(copy, _host.Frame(shared));
            _host.Write(at, copy.Value | OwnFlags(entry));
            ForgetShared(shared);
            Release([]);
            NoteResident(address, PageSize.Size4K, wasSwapped: false);
            Counts.SharedCopied++;
        }

        _dirtyLog?.Add(address.Frame);
        Counts.SharingBroken++;
        return PopulateResult.Mapped;
    }

    // What the entry of a shared page has beside its address when the page is the guest's own: accessed and dirty flags stay.
    private ulong OwnFlags(ulong entry) => (entry & ~(EptEntry.AddressMask | SharedMark)) | _format.Write;

    // A copy in the store is let go: the frame is not evicted, and what it is later begins anew.
    private void BecomeShared(GuestFrameNumber frame)
    {
        ForgetCopy(frame);
        ForgetResident(frame.Address, Removal.Discarded);
        SharedFrames++;
        Counts.Shared++;
    }

    // The entry is another; Release lets the share go behind the invalidation.
    private void ForgetShared(HostFrameNumber shared)
    {
        SharedFrames--;
        _left.Add(shared);
    }
}
