using System.Diagnostics;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <summary>Gives out frames of the emulated host's RAM, each zeroed, takes them back, and knows of each who owns it.</summary>
/// <remarks>
/// Frames that came back are given out first, those that were never given out in ascending order, without the device hole. Memory is
/// fresh from the operating system, so the latter are zero already; the former are scrubbed before they have another owner. What aligning large
/// runs left over is used last. Not for several threads: a machine that runs takes from its <see cref="MachineFrames"/>.
/// </remarks>
public sealed partial class HostFrameAllocator
{
    /// <summary>The owner of frames that nobody owns.</summary>
    public const ushort Nobody = 0;

    private const string Section = "host-frames";
    private const int MostGaps = 1 << 20;

    private readonly HostMemory _host;
    private readonly IFrameScrubber _scrubber;
    private readonly FrameTable<ushort> _owners;
    private readonly FreeFrames _free = new();
    private readonly List<(ulong Start, ulong End)> _gaps = [];
    private ulong _next;

    /// <summary>Makes an allocator over all of a host's RAM.</summary>
    /// <param name="host">The RAM. The first frame is left out: address 0 never names a table.</param>
    /// <param name="scrubber">Who zeroes frames.</param>
    /// <param name="audit">Told of every change of owner; null for nobody.</param>
    public HostFrameAllocator(HostMemory host, IFrameScrubber scrubber, FrameAudit? audit)
    {
        _host = host;
        _scrubber = scrubber;
        Audit = audit;
        _owners = new FrameTable<ushort>(FrameLimit(host));
        _sharers = new ShareCounts(FrameLimit(host));
        _next = 4096;
        FramesTotal = (host.SizeInBytes >> 12) - 1;
    }

    /// <summary>The audit of isolation; null where there is none.</summary>
    public FrameAudit? Audit { get; }

    /// <summary>Frames of 4 KiB that can be given out in all.</summary>
    public ulong FramesTotal { get; }

    /// <summary>Frames of 4 KiB given out now.</summary>
    public ulong FramesUsed { get; private set; }

    /// <summary>Frames of 4 KiB that nobody has.</summary>
    public ulong FramesFree => FramesTotal - FramesUsed;

    /// <summary>The most frames that were ever given out at once.</summary>
    public ulong MostFramesUsed { get; private set; }

    /// <summary>Asked where a machine needs a frame at a barrier and there is none: makes one free, or answers false. Null where nothing can be done.</summary>
    public Func<bool>? Relief { get; set; }

    /// <summary>One more than the highest frame number of a host.</summary>
    public static ulong FrameLimit(HostMemory host) => (host.SizeInBytes > HostMemory.HoleStart ? host.HighTop : host.LowTop).Value >> 12;

    /// <summary>Who owns a frame.</summary>
    public ushort OwnerOf(HostFrameNumber frame) => _owners[frame];

    /// <summary>Takes a naturally aligned run of frames. They are zero.</summary>
    /// <param name="owner">Who gets it; not <see cref="Nobody"/>.</param>
    /// <param name="size">The length and alignment of the run.</param>
    /// <param name="start">Its first byte.</param>
    /// <returns>False where the host has no such run left.</returns>
    public bool TryTake(ushort owner, PageSize size, out HostPhysicalAddress start)
    {
        if (TryReuse(size, out start))
        {
            _scrubber.Scrub(_host, start, size.Bytes());
            Audit?.NoteScrubbed(start, size.Bytes());
        }
        else if (!TryTakeFresh(size, out start))
        {
            if (_gaps.Count == 0)
                return false;
            UseGaps();
            return TryTake(owner, size, out start);
        }

        ulong frames = size.Bytes() >> 12;
        for (ulong i = 0; i < frames; i++)
            _owners[new HostFrameNumber(start.Frame.Value + i)] = owner;
        FramesUsed += frames;
        MostFramesUsed = Math.Max(MostFramesUsed, FramesUsed);
        return true;
    }

    /// <summary>Takes a run back. Nothing can reach it any more: it was unmapped, invalidated, and its code dropped.</summary>
    /// <param name="owner">Who has it.</param>
    /// <param name="size">Its length.</param>
    /// <param name="start">Its first byte.</param>
    /// <exception cref="UnreachableException">One of the frames is not the owner's.</exception>
    public void Return(ushort owner, PageSize size, HostPhysicalAddress start)
    {
        ulong frames = size.Bytes() >> 12;
        for (ulong i = 0; i < frames; i++)
        {
            var frame = new HostFrameNumber(start.Frame.Value + i);
            if (_owners[frame] != owner || owner == Nobody)
                throw new UnreachableException($"Frame {frame.Address} of owner {_owners[frame]} was returned by {owner}.");
            _owners[frame] = Nobody;
            Audit?.NoteReturned(frame, owner);
            _free.Add(frame);
        }

        FramesUsed -= frames;
    }

    private bool TryReuse(PageSize size, out HostPhysicalAddress start)
    {
        bool found = size == PageSize.Size4K ? _free.TryTake(out HostFrameNumber first) : _free.TryTakeRun(size, out first);
        start = first.Address;
        return found;
    }

    private bool TryTakeFresh(PageSize size, out HostPhysicalAddress start)
    {
        ulong bytes = size.Bytes();
        ulong at = Align(_next, bytes);
        if (!_host.IsRam(new HostPhysicalAddress(at), bytes))
            at = Align(Math.Max(at, HostMemory.HoleEnd), bytes);
        start = new HostPhysicalAddress(at);
        if (!_host.IsRam(start, bytes))
            return false;
        if (at != _next)
            _gaps.Add((_next, at));
        _next = at + bytes;
        return true;
    }

    private void UseGaps()
    {
        foreach ((ulong start, ulong end) in _gaps)
        {
            for (ulong at = start; at < end; at += 4096)
            {
                if (_host.IsRam(new HostPhysicalAddress(at)))
                    _free.Add(new HostPhysicalAddress(at).Frame);
            }
        }

        _gaps.Clear();
    }

    private static ulong Align(ulong address, ulong bytes) => (address + bytes - 1) & ~(bytes - 1);

    /// <summary>Writes the section <c>host-frames</c>: which frames are free, and in which order they will be given out. Whose the others are their owners say.</summary>
    public void Save(StateWriter writer)
    {
        writer.Begin(Section);
        writer.Write(_next);
        writer.Write(_gaps.Count);
        foreach ((ulong start, ulong end) in _gaps)
        {
            writer.Write(start);
            writer.Write(end);
        }

        _free.Save(writer);
        writer.Write(MostFramesUsed);
        writer.Write(MostFramesSaved);
        writer.End();
    }

    /// <summary>Reads it back. Every frame that is owned now must have been owned then; the others that were are claimed (<see cref="TryClaim"/>).</summary>
    public void Load(StateReader reader)
    {
        reader.Open(Section);
        ulong end = Math.Max(_host.LowTop.Value, _host.SizeInBytes > HostMemory.HoleStart ? _host.HighTop.Value : 0);
        _next = reader.ReadUInt64("next", _next, end);
        _gaps.Clear();
        ulong last = 4096;
        for (int left = reader.ReadInt32("gaps", 0, MostGaps); left > 0; left--)
        {
            ulong start = reader.ReadUInt64("gapStart", last, _next);
            last = reader.ReadUInt64("gapEnd", start, _next);
            _gaps.Add((start, last));
            if (((start | last) & 0xFFF) != 0)
                throw reader.Refuse("gapStart", "is not that of a frame");
        }

        _free.Load(reader, frame => frame.Address.Value >= 4096 && frame.Address.Value < _next && _host.IsRam(frame.Address) && _owners[frame] == Nobody);
        MostFramesUsed = reader.ReadUInt64("mostUsed", 0, FramesTotal);
        MostFramesSaved = reader.ReadUInt64("mostSaved");
        reader.Close();
    }

    /// <summary>Takes the very frames that a saved machine had, out of those that are neither free nor owned. They are zero.</summary>
    /// <returns>False where one of them is.</returns>
    public bool TryClaim(ushort owner, PageSize size, HostPhysicalAddress start)
    {
        if ((start.Value & size.OffsetMask()) != 0 || !_host.IsRam(start, size.Bytes()) || start.Value < 4096 || start.Value + size.Bytes() > _next)
            return false;
        ulong frames = size.Bytes() >> 12;
        for (ulong i = 0; i < frames; i++)
        {
            var frame = new HostFrameNumber(start.Frame.Value + i);
            if (_owners[frame] != Nobody || _free.Contains(frame) || _gaps.Exists(gap => frame.Address.Value >= gap.Start && frame.Address.Value < gap.End))
                return false;
        }

        for (ulong i = 0; i < frames; i++)
            _owners[new HostFrameNumber(start.Frame.Value + i)] = owner;
        FramesUsed += frames;
        MostFramesUsed = Math.Max(MostFramesUsed, FramesUsed);
        return true;
    }
}
