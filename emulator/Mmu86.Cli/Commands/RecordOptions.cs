using System.CommandLine;
using Mmu86.Cli.CommandLine;
using Mmu86.Lab.Sweeps.Recorded;
using Mmu86.Paging;

namespace Mmu86.Cli.Commands;

/// <summary>The options that keep a run's translation stream.</summary>
internal sealed class RecordOptions
{
    private readonly Option<string?> _record = GuestOptions.Text("--record", "FILE", "Keep the stream of translations in FILE, for 'sweep --trace FILE'");
    private readonly Option<bool> _strict = new("--record-strict") { Description = "Keep every change of access, so that machines without some first-level TLB can be swept too" };

    private RecordOptions()
    {
    }

    /// <summary>Adds them to a command.</summary>
    public static RecordOptions AddTo(Command command)
    {
        var options = new RecordOptions();
        command.Add(options._record);
        command.Add(options._strict);
        return options;
    }

    /// <summary>Whether a stream shall be kept.</summary>
    public bool IsGiven(ParseResult parsed) => parsed.GetValue(_record) is not null;

    /// <summary>Opens the file before anything runs.</summary>
    /// <returns>Null where none is wanted.</returns>
    /// <exception cref="UserErrorException">Status 64 or 74.</exception>
    public RecordTarget? Open(ParseResult parsed, StandardStreams streams)
    {
        string? path = parsed.GetValue(_record);
        if (path == "-")
            throw UserErrorException.Usage("--record: needs a file; standard output is for results");
        if (path is null)
            return parsed.GetValue(_strict) ? throw UserErrorException.Usage("--record-strict: says how --record FILE records, which is missing") : null;
        return new RecordTarget(ReportTarget.Open("--record", path, streams)!, parsed.GetValue(_strict) ? RecordedRuns.Strict : RecordedRuns.ByKind);
    }
}

/// <summary>The file of a recording; complete or not there.</summary>
internal sealed class RecordTarget(ReportTarget target, RecordedRuns runs) : IDisposable
{
    /// <summary>What the recorder is told.</summary>
    public SweepRecording Recording { get; } = new(target.Write, runs);

    /// <summary>It is all there is.</summary>
    /// <exception cref="UserErrorException">Status 74.</exception>
    public void Complete() => target.Complete();

    /// <inheritdoc/>
    public void Dispose() => target.Dispose();
}
