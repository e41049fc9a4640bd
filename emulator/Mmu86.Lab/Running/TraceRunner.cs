using Mmu86.Lab.Reports;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;

namespace Mmu86.Lab.Running;

/// <summary>Takes a trace through the base machine's MMU, as <see cref="GuestRunner"/> takes a guest through its CPU.</summary>
public sealed class TraceRunner
{
    // Moments of the stream, for working sets; and how often progress is told and cancellation is asked.
    private const ulong AccessesBetweenMarks = 1 << 18;

    // Four levels of tables translate 48 bits.
    private const int UnusedBits = 64 - 48;

    private readonly RunOptions _options;
    private readonly TraceReader _reader;
    private readonly TranslationStreamWriter _writer;
    private readonly RecordedRuns _runs;

    /// <summary>Prepares.</summary>
    /// <param name="options">The base run. Of a trace only machine, paging, page sizes, memory, seed and the most instructions matter.</param>
    /// <param name="reader">The trace. Not owned.</param>
    /// <param name="writer">Takes the stream.</param>
    /// <param name="runs">Which lookups may be taken together.</param>
    public TraceRunner(RunOptions options, TraceReader reader, TranslationStreamWriter writer, RecordedRuns runs)
    {
        _options = options;
        _reader = reader;
        _writer = writer;
        _runs = runs;
    }

    /// <summary>Whether misses of the base machine's first level are marked in the stream.</summary>
    public bool MarksMisses { get; init; }

    /// <summary>Told the number of instructions so far, some times a second at least.</summary>
    public IProgress<ulong>? Progress { get; init; }

    /// <summary>Instructions that the trace told of: its fetches.</summary>
    public ulong Instructions { get; private set; }

    /// <summary>What the base machine counted; null before <see cref="Run"/> has ended.</summary>
    public MmuStatistics? Statistics { get; private set; }

    /// <summary>Runs.</summary>
    /// <param name="cancellation">Ends the run early.</param>
    /// <returns>Why it ended before the end of the trace; null where it did not.</returns>
    /// <exception cref="TraceException">The trace is damaged or empty, has an address that is none, or needs more memory than there is.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public ExitReport? Run(CancellationToken cancellation)
    {
        using var machine = new TraceMachine(_options, _writer, _runs) { MarksMisses = MarksMisses };
        machine.Mark(StreamMoment.Interval, 0);
        ExitReport? exit = Run(machine, cancellation);
        machine.Mark(StreamMoment.Last, Instructions);
        _writer.Flush();
        Statistics = machine.Statistics;
        return exit;
    }

    private ExitReport? Run(TraceMachine machine, CancellationToken cancellation)
    {
        ulong limit = _options.MaxInstructions ?? ulong.MaxValue;
        ulong accesses = 0;
        while (_reader.TryRead(out TraceAccess access))
        {
            if (access.Kind == AccessKind.Fetch)
            {
                if (Instructions == limit)
                    return new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.LimitStatus, Detail = $"--max-instructions {limit} was reached" };
                Instructions++;
            }

            Access(machine, access);
            if (++accesses % AccessesBetweenMarks != 0)
                continue;
            machine.Mark(StreamMoment.Interval, Instructions);
            Progress?.Report(Instructions);
            if (cancellation.IsCancellationRequested)
                return new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.InterruptedStatus, Detail = "interrupted" };
        }

        return accesses > 0 ? null : throw new TraceException("the trace has no access");
    }

    private void Access(TraceMachine machine, TraceAccess access)
    {
        ulong last = access.Address + (ulong)access.Size - 1;
        if (!IsCanonical(access.Address) || !IsCanonical(last) || last < access.Address)
        {
            throw new TraceException(
                $"{_reader.Position}: {access.Size} bytes at 0x{access.Address:x} are not canonical: bits 63 to 47 of an address must be equal");
        }

        LookUp(machine, access.Address, access.Kind);
        if (access.Address >> 12 != last >> 12)
            LookUp(machine, last & ~0xFFFUL, access.Kind);
    }

    private void LookUp(TraceMachine machine, ulong address, AccessKind kind)
    {
        if (!machine.TryLookUp(address, kind))
        {
            throw new TraceException(
                $"{_reader.Position}: the pages touched so far need more than the machine's {_options.MemoryBytes >> 20} MiB; give it more by --memory"
                + (_options.HostMemoryBytes is null ? "" : " or --host-memory"));
        }
    }

    private static bool IsCanonical(ulong address) => (ulong)((long)(address << UnusedBits) >> UnusedBits) == address;
}
