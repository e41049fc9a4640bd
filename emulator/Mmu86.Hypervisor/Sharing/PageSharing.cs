using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Sharing;

/// <summary>Finds pages of equal content in the machines of a host and lets them have one frame, read-only: ESX's transparent page sharing.</summary>
/// <remarks>
/// It looks at pages at a set rate in random order. A page's hash leads to shared frames and to hints, pages of that hash that were seen; only a
/// comparison of all bytes decides. At barriers only: no machine runs, so what was compared is what is mapped. A write to a shared page is a
/// VM exit, and <see cref="GuestMemoryManager.BringIn"/> gives the writer a frame of its own. C. Waldspurger, "Memory Resource Management in VMware ESX
/// Server", OSDI 2002, section 4.
/// </remarks>
public sealed class PageSharing
{
    private const string Section = "sharing";
    private const ulong NanosecondsInSecond = 1_000_000_000;

    // Pages of one hash that are compared with a page: a guest that makes pages collide costs its host no more than that.
    private const int MostCandidates = 16;

    // Frames that hold nothing to look at are passed over, so many for each page that is due.
    private const ulong StepsForPage = 16;
    private const ulong LeastSteps = 1024;

    private readonly VirtualHost _host;
    private readonly PageSharingOptions _options;
    private readonly ShareTable _table;
    private readonly Dictionary<ushort, Scanned> _machines = [];

    /// <summary>Begins to look at a host.</summary>
    public PageSharing(VirtualHost host, PageSharingOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfZero(options.PagesPerSecond);
        ArgumentOutOfRangeException.ThrowIfZero(options.PagesPerSecondOfMachine);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.PagesPerSecond, PageSharingOptions.MostPagesPerSecond);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.PagesPerSecondOfMachine, PageSharingOptions.MostPagesPerSecond);
        _host = host;
        _options = options;
        _table = new ShareTable(host.Memory);
    }

    /// <summary>What was found so far.</summary>
    public PageSharingCounts Counts { get; } = new();

    /// <summary>Looks at the pages that are due.</summary>
    /// <param name="machines">Every machine of the host that is paused, in an order that does not depend on chance.</param>
    /// <param name="elapsed">Virtual nanoseconds since the last time.</param>
    public void Scan(IReadOnlyList<VirtualMachine> machines, ulong elapsed)
    {
        Follow(machines);
        if (machines.Count == 0)
            return;
        UInt128 rate = Math.Min(_options.PagesPerSecondOfMachine, Math.Max(1, _options.PagesPerSecond / (ulong)machines.Count));
        foreach (VirtualMachine machine in machines)
        {
            Scanned scanned = _machines[machine.Vpid];
            UInt128 due = (rate * elapsed) + scanned.Remainder;
            scanned.Remainder = (ulong)(due % NanosecondsInSecond);
            LookAt(scanned, (ulong)UInt128.Min(due / NanosecondsInSecond, machine.Memory.RamFrames));
        }

        Finish();
    }

    /// <summary>Looks at every page of machines once, however long it takes.</summary>
    /// <param name="machines">As for <see cref="Scan"/>.</param>
    public void ScanAll(IReadOnlyList<VirtualMachine> machines)
    {
        Follow(machines);
        foreach (VirtualMachine machine in machines)
        {
            Scanned scanned = _machines[machine.Vpid];
            for (ulong round = scanned.Order.Rounds; scanned.Order.Rounds == round;)
            {
                if (scanned.Order.TryStep(machine.Memory, out GuestFrameNumber frame))
                    _ = TryLookAt(machine, frame);
            }
        }

        Finish();
    }

    /// <summary>Whether what is known of a frame is what holds of it: for shared frames it must be.</summary>
    internal bool Knows(HostFrameNumber shared) =>
        _table[shared] is { IsShared: true } known && known.Matches(_options.Content.Hash(_host.Memory.Frame(shared)));

    /// <summary>Writes the section <c>sharing</c>: what is known of which frame, and how far each machine has been looked at. Between two barriers.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="machines">Every machine of the host. What was known of others is forgotten at the next <see cref="Scan"/> in any case.</param>
    internal void Save(StateWriter writer, IReadOnlyList<VirtualMachine> machines)
    {
        writer.Begin(Section);
        Counts.Save(writer);
        _table.Save(writer);
        Scanned[] followed = [.. machines.Select(machine => _machines.GetValueOrDefault(machine.Vpid)).OfType<Scanned>()];
        writer.Write(followed.Length);
        foreach (Scanned scanned in followed)
        {
            writer.Write(scanned.Machine.Vpid);
            scanned.Order.Save(writer);
            writer.Write(scanned.Remainder);
        }

        writer.End();
    }

    /// <summary>Reads it back where nothing was looked at. The machines and their frames are in place.</summary>
    internal void Load(StateReader reader, IReadOnlyList<VirtualMachine> machines)
    {
        reader.Open(Section);
        Counts.Load(reader);
        _table.Load(reader);
        for (int left = reader.ReadInt32("followed", 0, machines.Count); left > 0; left--)
        {
            ushort vpid = reader.ReadUInt16("vpid");
            VirtualMachine machine = machines.FirstOrDefault(machine => machine.Vpid == vpid) ?? throw reader.Refuse("vpid", $"is {vpid}, which no machine has");
            if (_machines.ContainsKey(vpid))
                throw reader.Refuse("vpid", $"{vpid} is there twice");
            Scanned scanned = Begin(machine);
            scanned.Order.Load(reader);
            scanned.Remainder = reader.ReadUInt64("remainder", 0, NanosecondsInSecond - 1);
        }

        reader.Close();
    }

    private Scanned Begin(VirtualMachine machine)
    {
        var scanned = new Scanned(machine, new ScanOrder(machine.Memory.RamFrames, _options.Seed ^ RandomPermutation.Mix(machine.Vpid)));
        _machines.Add(machine.Vpid, scanned);
        return scanned;
    }

    private void Follow(IReadOnlyList<VirtualMachine> machines)
    {
        foreach (VirtualMachine machine in machines)
        {
            if (!_machines.ContainsKey(machine.Vpid))
                _ = Begin(machine);
        }

        if (_machines.Count == machines.Count)
            return;
        foreach (ushort gone in _machines.Keys.Except(machines.Select(machine => machine.Vpid)).ToList())
            _machines.Remove(gone);
    }

    private void Finish()
    {
        foreach (Scanned scanned in _machines.Values)
            scanned.Machine.Memory.FinishSharing();
    }

    private void LookAt(Scanned scanned, ulong pages)
    {
        for (ulong steps = (pages * StepsForPage) + LeastSteps; pages > 0 && steps > 0; steps--)
        {
            if (scanned.Order.TryStep(scanned.Machine.Memory, out GuestFrameNumber frame) && TryLookAt(scanned.Machine, frame))
                pages--;
        }
    }

    private bool TryLookAt(VirtualMachine machine, GuestFrameNumber guest)
    {
        // A frame that others have left is no burden that is shared: it may be evicted, and joined, again. While writes are logged it stays as it is.
        if (!machine.Memory.IsLoggingDirty)
            _ = machine.Memory.TryTakeBack(guest);
        if (!machine.Memory.TryFindOwn(guest, out HostFrameNumber frame))
            return false;
        Counts.Scanned++;
        ulong hash = _options.Content.Hash(_host.Memory.Frame(frame));
        if (!TryMerge(machine, guest, frame, hash) && machine.Memory.TryFindOwn(guest, out HostFrameNumber still) && still == frame)
            _table.SetHint(frame, hash, machine.Vpid, guest);
        return true;
    }

    private bool TryMerge(VirtualMachine machine, GuestFrameNumber guest, HostFrameNumber frame, ulong hash)
    {
        int candidates = 0;
        for (uint next = _table.First(hash); next != 0 && candidates < MostCandidates;)
        {
            var candidate = new HostFrameNumber(next);
            ShareFrame known = _table[candidate];
            next = known.Next;
            if (candidate == frame || !known.Matches(hash))
                continue;
            Scanned? other = null;
            if (!Holds(candidate, known, ref other))
            {
                Counts.StaleHints++;
                _table.Remove(candidate);
                continue;
            }

            candidates++;
            Counts.Compared++;
            if (!_options.Content.AreEqual(_host.Memory.Frame(candidate), _host.Memory.Frame(frame)))
            {
                Counts.Unequal++;
                continue;
            }

            return Merge(machine, guest, frame, hash, candidate, known, other);
        }

        return false;
    }

    // Whether a frame is still what is known of it; for a hint also whose it is.
    private bool Holds(HostFrameNumber frame, ShareFrame known, ref Scanned? other) => known.IsShared
        ? _host.Frames.SharersOf(frame) > 0
        : _machines.TryGetValue(known.Owner, out other) && other.Machine.Memory.TryFindOwn(known.Guest, out HostFrameNumber has) && has == frame;

    private bool Merge(
        VirtualMachine machine, GuestFrameNumber guest, HostFrameNumber frame, ulong hash, HostFrameNumber candidate, ShareFrame known, Scanned? other)
    {
        GuestMemoryManager mine = machine.Memory;
        GuestMemoryManager? theirs = other?.Machine.Memory;

        // A table for a large page may cost another frame its place, even one of these two.
        if (!mine.TryMakeSmall(guest) || theirs?.TryMakeSmall(known.Guest) == false)
        {
            Counts.NoTable++;
            return false;
        }

        Scanned? still = null;
        if (!mine.TryFindOwn(guest, out HostFrameNumber has) || has != frame || !Holds(candidate, known, ref still))
            return false;
        if (theirs is not null)
        {
            theirs.Share(known.Guest);
            _table.SetShared(candidate, hash);
        }

        _table.Remove(frame);
        mine.Join(guest, candidate);
        Counts.Merged++;
        return true;
    }

    private sealed class Scanned(VirtualMachine machine, ScanOrder order)
    {
        public VirtualMachine Machine => machine;

        public ScanOrder Order => order;

        // Pages times nanoseconds that were not enough for a page.
        public ulong Remainder { get; set; }
    }
}
