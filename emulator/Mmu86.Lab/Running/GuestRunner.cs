using System.Diagnostics;
using Mmu86.Cpu;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Snapshots;
using Mmu86.Memory;
using Mmu86.Paging;

namespace Mmu86.Lab.Running;

/// <summary>Runs a guest from its first instruction to its end and reports what it cost.</summary>
public sealed class GuestRunner
{
    // How often progress is told and cancellation is asked: milliseconds of the fastest run, half a second of the slowest (nested, uncached).
    private const ulong SliceInstructions = 2_000_000;

    private readonly RunOptions _options;
    private readonly GuestOutput _output;
    private readonly RunCountsReader _reader;
    private readonly MeasuredPart _measured = new();

    /// <summary>Prepares a run.</summary>
    public GuestRunner(RunOptions options, GuestOutput output)
    {
        _options = options;
        _output = output;
        _reader = new RunCountsReader(options.Machine, options.Paging, options.Fidelity);
    }

    /// <summary>Told the number of instructions retired, some times a second at least.</summary>
    public IProgress<ulong>? Progress { get; init; }

    /// <summary>Where the stream of translations goes; null where it is not wanted.</summary>
    public RunRecording? Recording { get; init; }

    /// <summary>The snapshot that the guest goes on from; null where it begins.</summary>
    public string? RestoredFrom { get; init; }

    /// <summary>The snapshot that is to be taken on the way; null for none.</summary>
    public SnapshotRequest? Snapshot { get; init; }

    /// <summary>Whether <see cref="Snapshot"/> was taken: false too where the guest ended before.</summary>
    public bool IsSnapshotTaken { get; private set; }

    /// <summary>Runs.</summary>
    /// <param name="cancellation">Ends the run early: the report says so.</param>
    /// <exception cref="Loaders.ImageFormatException">The image is broken, or does not fit.</exception>
    /// <exception cref="Loaders.ImageNotSupportedException">The image is of a kind that Mmu86 does not have yet.</exception>
    /// <exception cref="Hypervisor.HostMemoryExhaustedException">The host has too little memory to place the image.</exception>
    /// <exception cref="StateFormatException">The snapshot is broken, or of another run.</exception>
    /// <exception cref="SnapshotFileException">A snapshot cannot be written or read.</exception>
    /// <exception cref="IOException">The guest's output cannot be written.</exception>
    public RunReport Run(CancellationToken cancellation)
    {
        using GuestMachine machine = Make();
        if (machine.Mmu is RecordingMmu recorder)
            Recording!.Attach?.Invoke(machine, recorder);
        TimeSpan cpuStart = ThreadCpuTime.Now;
        var wall = Stopwatch.StartNew();
        ExitReport exit = RunToEnd(machine, cancellation);
        wall.Stop();
        TimeSpan cpu = ThreadCpuTime.Now - cpuStart;
        RunCounts counts = Count(machine);
        machine.Mark(StreamMoment.Last);
        Recording?.Writer.Flush();
        _output.Standard.Flush();
        _output.Error.Flush();
        return RunReportBuilder.Build(_options, new RunOutcome
        {
            Exit = exit,
            Counts = counts,
            Measured = _measured.Read(_reader),
            Memory = machine.HostFramesUsed is { } used
                ? new MemoryReport { GuestFramesTouched = (long?)machine.GuestFramesTouched, HostFramesUsed = (long)used }
                : null,
            Unsupported = Unanswered(machine),
            Devices = DevicesOf(machine),
            CpuTime = cpu,
            WallTime = wall.Elapsed,
        });
    }

    private GuestMachine Make()
    {
        if (RestoredFrom is { } path)
            return SnapshotFileException.Translate(FileAccess.Read, path, () => SnapshotFile.Read(path, reader => GuestSnapshot.Read(reader, Build, _measured.LoadState)));
        return Recording is null
            ? GuestMachine.Build(_options, _output, observer: null)
            : GuestMachine.BuildRecorded(_options, _output, Recording);
    }

    private GuestMachine Build(RunOptions saved)
    {
        SavedOptions.RequireSame(saved, _options);
        return GuestMachine.Build(_options, _output, observer: null);
    }

    // What the guest wrote so far is written: who restores the snapshot gets the rest.
    private void Take(SnapshotRequest request, GuestMachine machine)
    {
        _output.Standard.Flush();
        _output.Error.Flush();
        SnapshotFileException.Translate(FileAccess.Write, request.Path, () =>
        {
            SnapshotFile.Write(request.Path, writer => GuestSnapshot.Write(writer, machine, _measured.SaveState));
            return true;
        });
        IsSnapshotTaken = true;
    }

    private ExitReport RunToEnd(GuestMachine machine, CancellationToken cancellation)
    {
        ulong limit = _options.MaxInstructions ?? ulong.MaxValue;
        while (true)
        {
            ulong retired = machine.Vcpu.Counters.Instructions;
            if (Snapshot?.AtInstruction == retired && !IsSnapshotTaken)
                Take(Snapshot, machine);
            if (retired >= limit)
                return new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.LimitStatus, Detail = $"--max-instructions {limit} was reached" };
            if (cancellation.IsCancellationRequested)
                return new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.InterruptedStatus, Detail = "interrupted" };
            Progress?.Report(retired);
            machine.Mark(StreamMoment.Interval);
            ulong slice = limit - retired <= SliceInstructions ? limit : retired + SliceInstructions;
            if (Snapshot is { } wanted && wanted.AtInstruction > retired)
                slice = Math.Min(slice, wanted.AtInstruction);
            if (machine.Run(slice, marker => Mark(machine, marker)) is { } exit)
                return exit;
        }
    }

    // The first begin and the first end behind it count.
    private void Mark(GuestMachine machine, uint marker)
    {
        if (_measured.Pass(marker, machine))
            machine.Mark(marker == Markers.Begin ? StreamMoment.Begin : StreamMoment.End);
    }

    private RunCounts Count(GuestMachine machine)
    {
        RunCounts counts = _reader.Read(machine.Vcpu.Counters, machine.Vcpu.Statistics, machine.Timing?.Statistics);
        return machine.Virtual?.Shadow is { } shadow ? _reader.WithShadow(counts, shadow) : counts;
    }

    private static DevicesReport? DevicesOf(GuestMachine machine)
    {
        ulong? failures = machine.DiskCounts is { Failed: > 0 } disk ? disk.Failed : null;
        return machine.LastPostCode is null && failures is null ? null : new DevicesReport
        {
            LastPostCode = machine.LastPostCode is { } code ? $"0x{code:x2}" : null,
            DiskFailures = failures,
            LastDiskFailure = failures is null ? null : machine.Virtual!.Disk!.LastFailure,
        };
    }

    private static UnsupportedCounts? Unanswered(GuestMachine machine)
    {
        IReadOnlyDictionary<string, long>? calls = machine.UnansweredCalls is { Count: > 0 } unanswered ? unanswered : null;
        OrderedDictionary<string, long>? ports = null;
        foreach ((ulong port, UnclaimedAccess use) in machine.Ports.Unclaimed.Places)
            (ports ??= []).Add($"0x{port:x}", (long)(use.Reads + use.Writes));
        long? reads = machine.Mmio.Unclaimed.Reads is > 0 and var read ? (long)read : null;
        long? writes = machine.Mmio.Unclaimed.Writes is > 0 and var written ? (long)written : null;
        IReadOnlyDictionary<string, UnclaimedUse>? registers = Places(machine.Vcpu.AbsentRegisters);
        return calls is null && ports is null && reads is null && writes is null && registers is null
            ? null
            : new UnsupportedCounts
            {
                SystemCalls = calls,
                Ports = ports,
                MmioReads = reads,
                MmioWrites = writes,
                PortAccesses = Places(machine.Ports.Unclaimed),
                MmioAccesses = Places(machine.Mmio.Unclaimed),
                ModelSpecificRegisters = registers,
            };
    }

    private static IReadOnlyDictionary<string, UnclaimedUse>? Places(UnclaimedAccesses accesses)
    {
        if (accesses.Places.Count == 0)
            return null;
        OrderedDictionary<string, UnclaimedUse> places = [];
        foreach ((ulong place, UnclaimedAccess use) in accesses.Places)
            places.Add($"0x{place:x}", new UnclaimedUse { Reads = (long)use.Reads, Writes = (long)use.Writes, FirstRip = $"0x{use.FirstInstruction:x}" });
        return places;
    }
}
