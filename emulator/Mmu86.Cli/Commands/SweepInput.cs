using System.CommandLine;
using Mmu86.Cli.CommandLine;
using Mmu86.Lab;
using Mmu86.Lab.Sweeps.Sources;
using Mmu86.Lab.Sweeps.Traces;

namespace Mmu86.Cli.Commands;

/// <summary>The options that say what a sweep is of: a guest, a trace, or a recorded stream.</summary>
internal sealed class SweepInputOptions
{
    private readonly GuestOptions _guest;
    private readonly Option<string?> _trace = GuestOptions.Text("--trace", "FILE|-", "Sweep a trace instead of PROGRAM: lackey, ChampSim, lines 'kind address size', or what --record kept; compressed or not");
    private readonly Option<string?> _format = GuestOptions.Text("--trace-format", "lackey|champsim|text|mmu86", "What the trace is written in [default: recognised]");

    private SweepInputOptions(GuestOptions guest) => _guest = guest;

    /// <summary>Adds them to a command.</summary>
    public static SweepInputOptions AddTo(Command command, GuestOptions guest)
    {
        var options = new SweepInputOptions(guest);
        command.Add(options._trace);
        command.Add(options._format);
        return options;
    }

    /// <summary>Finds what the command line names.</summary>
    /// <exception cref="UserErrorException">Status 64, 65 or 69.</exception>
    /// <exception cref="TraceException">There is no such trace, or it cannot be read.</exception>
    public SweepInput Open(ParseResult parsed)
    {
        TraceFormat? format = parsed.GetValue(_format) is string word
            ? Values.Choice<TraceFormat>("--trace-format", word, [
                new("lackey", TraceFormat.Lackey), new("champsim", TraceFormat.ChampSim), new("text", TraceFormat.Text), new("mmu86", TraceFormat.Mmu86)])
            : null;
        if (parsed.GetValue(_trace) is not string path)
        {
            if (format is not null)
                throw UserErrorException.Usage("--trace-format: says what --trace FILE is written in, which is missing");
            IReadOnlyList<RunOptions> guestRuns = _guest.ReadEachPaging(parsed);
            return new SweepInput(guestRuns, new GuestSource(guestRuns[0].Program), trace: null);
        }

        TraceFile trace = TraceFile.Find(path, format, Console.OpenStandardInput);
        try
        {
            if (trace.Format == TraceFormat.Mmu86)
            {
                _guest.RefuseRun(parsed);
                var recorded = new RecordedSource(trace);
                return new SweepInput([recorded.Header.ToRun(trace.Name)], recorded, trace);
            }

            return new SweepInput(_guest.ReadEachPagingOfTrace(parsed, trace.Name), new TraceSource(trace), trace);
        }
        catch
        {
            trace.Dispose();
            throw;
        }
    }
}

/// <summary>What a sweep is of.</summary>
internal sealed class SweepInput(IReadOnlyList<RunOptions> runs, ISweepSource source, TraceFile? trace) : IDisposable
{
    /// <summary>The base run of each paging mode.</summary>
    public IReadOnlyList<RunOptions> Runs { get; } = runs;

    /// <summary>What gives the stream.</summary>
    public ISweepSource Source { get; } = source;

    /// <inheritdoc/>
    public void Dispose()
    {
        (Source as IDisposable)?.Dispose();
        trace?.Dispose();
    }
}
