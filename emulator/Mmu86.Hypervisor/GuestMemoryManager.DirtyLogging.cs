using System.Diagnostics;
using Mmu86.Hypervisor.DirtyLogging;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>Which frames are written. Begun, asked and ended only while the machine does not run.</content>
/// <remarks>
/// While writes are logged every page has 4 KiB. A frame counts as written if its bytes were stored to, by the guest or on its behalf; if what it held was
/// given up; and, where nested tables have accessed and dirty flags, if a walk used it as a table of the guest: the processor treats that as a write.
/// </remarks>
public sealed partial class GuestMemoryManager
{
    private DirtyLog? _dirtyLog;

    /// <summary>Whether the processor can keep a page-modification log for this guest: EPT whose accessed and dirty flags are on.</summary>
    public bool HasModificationLog => _format.TrackingRootFlags != 0 && (_rootFlags & _format.TrackingRootFlags) != 0;

    /// <summary>Whether writes are logged.</summary>
    public bool IsLoggingDirty => _dirtyLog is not null;

    /// <summary>Begins to log writes: large pages are taken apart, dirty flags cleared or the right to write withdrawn, and every MMU is told.</summary>
    /// <param name="method">How.</param>
    /// <returns>False where the host has no frame for a table or a log: everything is as it was, but for large pages that are still to be joined.</returns>
    /// <exception cref="InvalidOperationException">Writes are logged already, the guest has shadow paging, or the processor has no such log.</exception>
    public bool StartDirtyLogging(DirtyLogMethod method)
    {
        if (_dirtyLog is not null)
            throw new InvalidOperationException("Writes are logged already.");
        if (_mmus.Exists(mmu => !mmu.Context.IsNested))
            throw new InvalidOperationException("Writes of a guest with shadow paging are not logged: its processor does not use the nested tables.");
        if (method == DirtyLogMethod.PageModificationLog && !HasModificationLog)
            throw new InvalidOperationException("Without EPT and its accessed and dirty flags there is no page-modification log.");
        _dirtyLog = new DirtyLog(method, _layout.Top.Value >> 12);
        if (!TryArmAll() || (method == DirtyLogMethod.PageModificationLog && !TryOpenLogs()))
        {
            StopDirtyLogging();
            return false;
        }

        Settle();
        return true;
    }

    /// <summary>Tells which frames were written since the last call, or since the beginning, and begins anew: one invalidation for all of them.</summary>
    /// <param name="dirty">Frames are appended, in ascending order.</param>
    /// <exception cref="InvalidOperationException">Writes are not logged.</exception>
    public void CollectDirty(List<GuestFrameNumber> dirty)
    {
        DirtyLog log = _dirtyLog ?? throw new InvalidOperationException("Writes are not logged.");
        log.Drain(_host, _layout);
        int first = dirty.Count;
        log.Take(dirty);
        for (int i = first; i < dirty.Count; i++)
        {
            HostPhysicalAddress at = FindEntry(dirty[i].Address, out int level, out ulong entry);
            if (IsOwnPage(entry, level))
                Arm(at, dirty[i], entry);
        }

        Settle();
    }

    /// <summary>Ends it. What was not collected is forgotten. Ranges that were taken apart are among those that <see cref="JoinWhole"/> makes large again.</summary>
    /// <remarks>Nothing where writes are not logged.</remarks>
    public void StopDirtyLogging()
    {
        if (_dirtyLog is not { } log)
            return;
        _dirtyLog = null;
        List<(HostPhysicalAddress, PageSize)> freed = [.. log.Close().Select(frame => (frame, PageSize.Size4K))];
        TableFrames -= (ulong)freed.Count;
        Release(freed);
        if (log.Method == DirtyLogMethod.WriteProtection)
        {
            // A right more: an MMU that remembers fewer goes back to the tables.
            ForEachOwnPage((at, _, entry) => _host.Write(at, entry | _format.Write));
        }

        foreach (GuestPhysicalAddress start in log.Split)
        {
            if (_pagesIn2M.GetValueOrDefault(start.Value >> PageSize.Size2M.Shift()) == EntriesOfTable)
                _whole.Enqueue((start, PageSize.Size2M));
        }
    }

    /// <summary>Bytes of a frame were stored to without the processor: by a device, or by whoever answers system calls.</summary>
    public void NoteWritten(GuestFrameNumber frame)
    {
        ForgetCopy(frame);
        _dirtyLog?.Add(frame);
    }

    /// <summary>Answers the VM exit of a full log: notes what is in it, and it is empty.</summary>
    /// <exception cref="UnreachableException">No log was given to the processor.</exception>
    public void EmptyLogs()
    {
        if (_dirtyLog is not { Method: DirtyLogMethod.PageModificationLog } log)
            throw new UnreachableException("A page-modification log is full that nobody gave.");
        log.Drain(_host, _layout);
        Counts.ModificationLogsFull++;
    }

    /// <summary>Answers the VM exit of a write to a page that may be read only because writes are logged.</summary>
    /// <returns>False where it was refused for another reason.</returns>
    public bool TryLetWrite(GuestPhysicalAddress address)
    {
        if (_dirtyLog is not { Method: DirtyLogMethod.WriteProtection } log || address.Value >= GuestPhysicalEnd)
            return false;
        HostPhysicalAddress at = FindEntry(address, out int level, out ulong entry);
        if (!IsOwnPage(entry, level) || (entry & _format.Write) != 0)
            return false;
        _host.Write(at, entry | _format.Write);
        log.Add(address.Frame);
        Counts.ProtectedWrites++;
        return true;
    }

    // What an entry of 4 KiB gets when a page becomes resident.
    private ulong NewPageFlags => _dirtyLog is { Method: DirtyLogMethod.WriteProtection } ? _format.Page & ~_format.Write : _format.Page;

    // A page of RAM that the guest has for itself. One of a device keeps its rights, and one that is shared has none to withdraw.
    private bool IsOwnPage(ulong entry, int level) => IsLeaf(entry, level) && !IsShared(entry) && _host.IsRam(Address(entry));

    private bool TryArmAll()
    {
        bool isComplete = true;
        ForEachOwnPage((at, address, entry) => Arm(at, address.Frame, entry), address =>
        {
            _ = FindEntry(address, out int level, out _);
            isComplete &= TrySplitOnce(address);
            if (isComplete && level == 2)
                _dirtyLog!.Split.Add(new GuestPhysicalAddress(address.Value & ~PageSize.Size2M.OffsetMask()));
            return isComplete;
        });
        return isComplete;
    }

    private void ForEachOwnPage(Action<HostPhysicalAddress, GuestPhysicalAddress, ulong> visit) => ForEachOwnPage(visit, _ => false);

    // Each page of RAM of 4 KiB, found anew: splitting one may make the host take frames from this very guest.
    private void ForEachOwnPage(Action<HostPhysicalAddress, GuestPhysicalAddress, ulong> visit, Func<GuestPhysicalAddress, bool> trySplit)
    {
        ulong next = 0;
        while (next < _layout.Top.Value)
        {
            var address = new GuestPhysicalAddress(next);
            HostPhysicalAddress at = FindEntry(address, out int level, out ulong entry);
            if (IsOwnPage(entry, level))
            {
                if (level == 1)
                    visit(at, address, entry);
                else if (trySplit(address))
                    continue;
            }

            int shift = 12 + (9 * (level - 1));
            next = ((next >> shift) + 1) << shift;
        }
    }

    // From now on the next write to a page is seen.
    private void Arm(HostPhysicalAddress at, GuestFrameNumber frame, ulong entry)
    {
        ulong flag = _dirtyLog!.Method == DirtyLogMethod.PageModificationLog ? _format.Dirty : _format.Write;
        if ((entry & flag) == 0)
            return;

        // The flag was all that told that a copy in the store is no more what the page holds.
        if (flag == _format.Dirty)
        {
            ForgetCopy(frame);
            Counts.DirtyFlagsCleared++;
        }

        _host.Write(at, entry & ~flag);
        _isStale = true;
    }

    private bool TryOpenLogs()
    {
        foreach (IMmu mmu in _mmus)
        {
            if (mmu.Context.Nested is not null)
                throw new UnreachableException("An MMU of a virtual machine has controls of EPT that nobody gave it.");
            if (!TryTakeTable(out HostPhysicalAddress log))
                return false;
            _dirtyLog!.Open(mmu, log);
        }

        return true;
    }
}
