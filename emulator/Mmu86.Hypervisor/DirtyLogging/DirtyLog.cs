using System.Numerics;
using Mmu86.Loaders;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor.DirtyLogging;

/// <summary>Which frames of a guest were written since they were last asked for, and the page-modification logs that tell it.</summary>
internal sealed class DirtyLog
{
    private const int LogEntries = NestedControls.ListEntries;
    private const ushort FirstIndex = LogEntries - 1;

    private readonly ulong[] _words;
    private readonly List<(IMmu Mmu, NestedControls Controls)> _logs = [];

    /// <summary>Makes an empty one.</summary>
    /// <param name="method">How writes are found out.</param>
    /// <param name="frames">Frames of the guest are below this number.</param>
    public DirtyLog(DirtyLogMethod method, ulong frames)
    {
        Method = method;
        _words = new ulong[(frames + 63) / 64];
    }

    /// <summary>How writes are found out.</summary>
    public DirtyLogMethod Method { get; }

    /// <summary>Ranges of 2 MiB that were taken apart for the log.</summary>
    public List<GuestPhysicalAddress> Split { get; } = [];

    /// <summary>Notes a frame of the guest's RAM.</summary>
    public void Add(GuestFrameNumber frame) => _words[frame.Value >> 6] |= 1UL << (int)(frame.Value & 63);

    /// <summary>Appends every frame that was noted, in ascending order, and forgets them.</summary>
    public void Take(List<GuestFrameNumber> dirty)
    {
        for (int index = 0; index < _words.Length; index++)
        {
            for (ulong word = _words[index]; word != 0; word &= word - 1)
                dirty.Add(new GuestFrameNumber(((ulong)index << 6) + (ulong)BitOperations.TrailingZeroCount(word)));
            _words[index] = 0;
        }
    }

    /// <summary>Gives an MMU a log: a frame of the host for it alone.</summary>
    public void Open(IMmu mmu, HostPhysicalAddress log)
    {
        var controls = new NestedControls { PageModificationLog = log, PageModificationIndex = FirstIndex };
        mmu.SetContext(mmu.Context with { Nested = controls });
        _logs.Add((mmu, controls));
    }

    /// <summary>Takes the logs away from the MMUs, whatever is in them.</summary>
    /// <returns>Their frames.</returns>
    public IReadOnlyList<HostPhysicalAddress> Close()
    {
        HostPhysicalAddress[] frames = [.. _logs.Select(log => log.Controls.PageModificationLog!.Value)];
        foreach ((IMmu mmu, _) in _logs)
            mmu.SetContext(mmu.Context with { Nested = null });
        _logs.Clear();
        return frames;
    }

    /// <summary>Notes what is in the logs and empties them.</summary>
    /// <param name="host">Where the logs are.</param>
    /// <param name="layout">Devices have dirty flags too, which are nobody's bytes.</param>
    public void Drain(HostMemory host, GuestPhysicalLayout layout)
    {
        foreach ((_, NestedControls controls) in _logs)
        {
            // The index is that of the next entry, and counts down: past 0 the log is full.
            for (int index = (ushort)(controls.PageModificationIndex + 1); index < LogEntries; index++)
            {
                ulong entry = host.Read<ulong>(new HostPhysicalAddress(controls.PageModificationLog!.Value.Value + ((ulong)index * sizeof(ulong))));
                var address = new GuestPhysicalAddress(entry & ~0xFFFUL);
                if (layout.IsRam(address, 4096))
                    Add(address.Frame);
            }

            controls.PageModificationIndex = FirstIndex;
        }
    }
}
