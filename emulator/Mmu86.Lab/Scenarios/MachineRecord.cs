using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Snapshots;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>What is kept of a machine of a scenario when it is gone.</summary>
/// <param name="machine">The machine.</param>
internal sealed class MachineRecord(ScenarioMachine machine)
{
    private const string Section = "record";
    private const int MostDetailBytes = 1 << 16;

    private ExitReport? _exit;
    private CountsMoment? _counted;
    private GuestMemoryCounts? _memory;
    private VmsFrames? _last;
    private ulong _diskFailures;
    private string? _lastDiskFailure;

    /// <summary>The machine.</summary>
    public ScenarioMachine Machine => machine;

    /// <summary>What it printed.</summary>
    public HashingStream Output { get; } = new();

    /// <summary>What it wrote to its debug console.</summary>
    public TextStream Debug { get; } = new();

    /// <summary>It has ended, and what it counted can still be read.</summary>
    public void Note(ScenarioGuest guest)
    {
        _exit = guest.Exit;
        _counted = CountsMoment.Of(guest.Guest);
        _memory = guest.Machine.Memory.Counts;
        _last = FramesOf(guest.Machine.Memory);
        _diskFailures = guest.Guest.DiskCounts?.Failed ?? 0;
        _lastDiskFailure = guest.Machine.Disk?.LastFailure;
    }

    /// <summary>What a report says of it.</summary>
    public VmsMachineReport Report(ScheduledMachine scheduled)
    {
        RunOptions options = machine.Options;
        RunCounts? counts = _counted?.Read(new RunCountsReader(options.Machine, options.Paging, options.Fidelity));
        return Report(scheduled, counts);
    }

    /// <summary>Writes the section <c>record</c>.</summary>
    public void Save(StateWriter writer)
    {
        writer.Begin(Section);
        Output.Save(writer);
        Debug.Save(writer);
        writer.Write(_exit is not null);
        if (_exit is { } exit)
        {
            writer.Write((byte)exit.Kind);
            writer.Write(exit.Status);
            writer.Write(exit.DebugCode is { } code ? (ulong)(uint)code : null);
            writer.Write(exit.Detail is not null);
            writer.Write(exit.Detail ?? "");
        }

        writer.Write(_counted is not null);
        if (_counted is not null)
        {
            _counted.Save(writer);
            _memory!.Save(writer);
            writer.WriteArray<ulong>([_last!.ResidentFrames, _last.SharedFrames, _last.BalloonedFrames, _last.SwappedFrames]);
            writer.Write(_diskFailures);
            writer.Write(_lastDiskFailure ?? "");
        }

        writer.End();
    }

    /// <summary>Reads it back into one of which nothing is kept.</summary>
    public void Load(StateReader reader)
    {
        reader.Open(Section);
        Output.Load(reader);
        Debug.Load(reader);
        if (reader.ReadBoolean("hasEnded"))
            _exit = LoadExit(reader);
        if (reader.ReadBoolean("hasCounted"))
        {
            _counted = CountsMoment.Load(reader);
            RequireCountable(reader, _counted, machine.Options);
            _memory = new GuestMemoryCounts();
            _memory.Load(reader);
            Span<ulong> frames = stackalloc ulong[4];
            reader.ReadArray("frames", frames);
            _last = new VmsFrames { ResidentFrames = frames[0], SharedFrames = frames[1], BalloonedFrames = frames[2], SwappedFrames = frames[3] };
            _diskFailures = reader.ReadUInt64("diskFailures");
            _lastDiskFailure = reader.ReadText("lastDiskFailure", MostDetailBytes) is { Length: > 0 } reason ? reason : null;
        }

        reader.Close();
    }

    /// <summary>Refuses counts of which no report can be made.</summary>
    public static void RequireCountable(StateReader reader, CountsMoment counted, RunOptions options)
    {
        try
        {
            _ = counted.Read(new RunCountsReader(options.Machine, options.Paging, options.Fidelity));
        }
        catch (OverflowException)
        {
            throw reader.Refuse("counts", "are more than a machine can have counted");
        }
    }

    private static ExitReport LoadExit(StateReader reader)
    {
        var kind = (ExitKind)reader.ReadByte("exitKind");
        if (!Enum.IsDefined(kind))
            throw reader.Refuse("exitKind", "is none that there is");
        int status = reader.ReadInt32("exitStatus", int.MinValue, int.MaxValue);
        int? code = reader.ReadOptional("exitCode") is { } written ? (int)(uint)written : null;
        bool hasDetail = reader.ReadBoolean("hasDetail");
        string detail = reader.ReadText("detail", MostDetailBytes);
        return new ExitReport { Kind = kind, Status = status, DebugCode = code, Detail = hasDetail ? detail : null };
    }

    private VmsMachineReport Report(ScheduledMachine scheduled, RunCounts? counts) => new()
    {
        Name = machine.Name,
        Program = ProgramReport.Of(machine.Options.Program),
        Memory = machine.Options.MemoryBytes,
        Exit = _exit ?? (scheduled.NeverStarted is { } reason ? new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.LimitStatus, Detail = reason } : null),
        OutputSha256 = Output.Sha256,
        DiskFailures = _diskFailures == 0 ? null : _diskFailures,
        LastDiskFailure = _diskFailures == 0 ? null : _lastDiskFailure,
        DebugConsole = Debug.Text,
        Instructions = counts?.Instructions ?? 0,
        Cycles = counts?.Cycles,
        ResidentFrames = _last?.ResidentFrames ?? 0,
        SharedFrames = _last?.SharedFrames ?? 0,
        BalloonedFrames = _last?.BalloonedFrames ?? 0,
        SwappedFrames = _last?.SwappedFrames ?? 0,
        Peak = new VmsFrames
        {
            ResidentFrames = scheduled.Peak.ResidentFrames,
            SharedFrames = scheduled.Peak.SharedFrames,
            BalloonedFrames = scheduled.Peak.BalloonedFrames,
            SwappedFrames = scheduled.Peak.SwappedFrames,
        },
        SwapInBytes = (_memory?.SwappedIn ?? 0) << 12,
        SwapOutBytes = (_memory?.Stored ?? 0) << 12,
        CleanEvictions = _memory?.SwappedOutClean ?? 0,
        SwapWait = scheduled.SwapWaitNanoseconds,
        EndedAt = scheduled.Time,
        SharingBroken = _memory?.SharingBroken ?? 0,
        SharedCopied = _memory?.SharedCopied ?? 0,
        SharedSwapped = _memory?.SharedEvicted ?? 0,
        Invalidations = _memory?.Invalidations ?? 0,
        LargePagesJoined = _memory?.Joins ?? 0,
        LargePagesSplit = _memory?.Splits ?? 0,
        Coupling = counts?.Walks is null ? null : VmsCoupling.Of(scheduled.Coupling, machine.Options.Machine.Mmu.Latencies, _memory?.Invalidations ?? 0),
        Faults = counts?.Faults,
        Walks = counts?.Walks,
    };

    private static VmsFrames FramesOf(GuestMemoryManager memory) => new()
    {
        ResidentFrames = memory.ResidentFrames,
        SharedFrames = memory.SharedFrames,
        BalloonedFrames = memory.BalloonedFrames,
        SwappedFrames = memory.SwappedFrames,
    };
}
